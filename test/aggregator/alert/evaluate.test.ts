// Judgement of rules on the embedded store.
import { afterAll, beforeAll, describe } from "vitest";
import { type FilledStore, filledStore } from "../read/filled-store.ts";
import { transitionsSuite } from "./transitions-suite.ts";

describe("a judgement", () => {
  let filled: FilledStore;
  beforeAll(async () => {
    filled = await filledStore();
  }, 180_000);
  afterAll(() => filled?.close());

  transitionsSuite(() => filled.store, process.env["WEIR_TEST_LONG"] === "1" ? 1_000 : 60);
});
