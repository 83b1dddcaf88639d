// Every answer about the retail file is right on plain PostgreSQL, embedded.
import { describe } from "vitest";
import { answersSuite } from "./suite.ts";

describe("on the embedded PostgreSQL", () => answersSuite(() => ({})));
