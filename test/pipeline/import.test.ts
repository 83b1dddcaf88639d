// Real events through the whole pipeline, embedded: every one is accounted for, and every answer is right.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { importFile } from "../../edge/command/import.ts";
import { type Embedded, startEmbedded } from "../support/embedded.ts";
import { retail } from "../support/retail.ts";
import { compareWithFacts } from "./retail-facts.ts";

const { file, facts } = retail();
const minutes = 10 * 60_000;

describe("the retail file, imported", () => {
  let weir: Embedded;
  beforeAll(async () => {
    weir = await startEmbedded(["default", "content", "window"]);
  }, minutes);
  afterAll(() => weir.close());

  it(
    "is stored whole, and the questions answer as its facts say",
    async () => {
      const result = await importFile(file, { map: [] }, weir.importDeps("default"));
      expect(result).toMatchObject({
        received: facts.rows,
        stored: facts.rows,
        duplicate: 0,
        quarantined: 0,
        ok: true,
      });
      expect(await compareWithFacts(weir.aggregatorUrl, facts)).toEqual([]);
    },
    minutes,
  );

  it(
    "is nothing but duplicates the second time",
    async () => {
      const result = await importFile(file, { map: [] }, weir.importDeps("default"));
      expect(result).toMatchObject({
        received: facts.rows,
        stored: 0,
        duplicate: facts.rows,
        quarantined: 0,
        ok: true,
      });
    },
    minutes,
  );

  it(
    "is stored once for each content where content is the identity",
    async () => {
      const result = await importFile(file, { map: [], identity: "content" }, weir.importDeps("content"));
      expect(result).toMatchObject({
        received: facts.rows,
        stored: facts.stored_when_identity_is_content,
        duplicate: facts.duplicates_when_identity_is_content,
        quarantined: 0,
        ok: true,
      });
    },
    minutes,
  );

  it("reconciles: nothing lost, nothing in flight", async () => {
    expect(await weir.reconcile()).toMatchObject({ ok: true, lost: 0, in_flight: 0 });
  });
});
