// Runs the writer's suite on the embedded store and on the real servers.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { describeWith, serviceUrl } from "../support/services.ts";
import { writeSuite } from "./write-suite.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-write-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

writeSuite("the embedded store", () => `embedded:${join(folder, "postgres")}`);

describeWith(["postgres"], "a server of PostgreSQL", () => {
  writeSuite("PostgreSQL", () => serviceUrl("postgres"));
});

describeWith(["timescale"], "a server of TimescaleDB", () => {
  writeSuite("TimescaleDB", () => serviceUrl("timescale"));
});

describeWith(["timescale_community"], "a server of TimescaleDB's community edition", () => {
  writeSuite("TimescaleDB community", () => serviceUrl("timescale_community"));
});
