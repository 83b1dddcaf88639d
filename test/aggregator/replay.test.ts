// Runs the suite of replay on the embedded store and on the real servers, and moves stores between them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { describeWith, serviceUrl } from "../support/services.ts";
import { moveSuite, replaySuite } from "./replay-suite.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-replay-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const embedded = (): string => `embedded:${join(folder, "postgres")}`;

replaySuite("the embedded store", embedded);

// The embedded store is a PostgreSQL too; a server's own is tried where time is.
if (process.env["WEIR_TEST_LONG"] === "1") {
  describeWith(["postgres"], "a server of PostgreSQL", () => {
    replaySuite("PostgreSQL", () => serviceUrl("postgres"));
    moveSuite("PostgreSQL", embedded, () => serviceUrl("postgres"));
  });
}

describeWith(["timescale"], "a server of TimescaleDB", () => {
  replaySuite("TimescaleDB", () => serviceUrl("timescale"));
  moveSuite("TimescaleDB", embedded, () => serviceUrl("timescale"));
});
