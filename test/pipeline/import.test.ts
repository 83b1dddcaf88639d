// Real events through the whole pipeline, embedded: every one is accounted for, and every answer is right.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { importFile } from "../../edge/command/import.ts";
import { parseMap } from "../../edge/command/source/csv-map.ts";
import { type Embedded, startEmbedded } from "../support/embedded.ts";
import { foldAll } from "../support/fold-all.ts";
import { retail, retailSample } from "../support/retail.ts";
import { compareWithFacts } from "./retail-facts.ts";

const sample = retailSample();
/** Whole where it is at hand and time is too; test/answers has it whole always. */
const { file, facts } = process.env["WEIR_TEST_LONG"] === "1" ? retail() : sample;
const minutes = 10 * 60_000;

describe("the retail file, imported", () => {
  let weir: Embedded;
  beforeAll(async () => {
    weir = await startEmbedded(["default", "content", "csv"]);
  }, minutes);
  afterAll(() => weir.close());

  it(
    "is stored whole, and the questions answer as its facts say",
    async () => {
      const result = await importFile(sample.file, { map: [] }, weir.importDeps("default"));
      expect(result).toMatchObject({
        received: sample.facts.rows,
        stored: sample.facts.rows,
        duplicate: 0,
        quarantined: 0,
        ok: true,
      });
      await foldAll(weir.store);
      expect(await compareWithFacts(weir.aggregatorUrl, sample.facts)).toEqual([]);
    },
    minutes,
  );

  it(
    "is nothing but duplicates the second time",
    async () => {
      const result = await importFile(sample.file, { map: [] }, weir.importDeps("default"));
      expect(result).toMatchObject({
        received: sample.facts.rows,
        stored: 0,
        duplicate: sample.facts.rows,
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

  it("is not alone: a CSV file in its own zone comes in UTC, its broken rows kept as they were", async () => {
    const file = join(weir.folder, "sales.csv");
    const rows = [
      "No,When,Who,Price",
      "1,2011-07-01 12:00,ann,2.75",
      '2,2011-12-01 12:00,bob,"3',
      "3,2011-12-01 12:00,cy,x",
    ];
    writeFileSync(file, `${rows.join("\n")}\n`);
    const map = parseMap("event_id=No,timestamp=When,user_id=Who,payload.revenue=Price:number,type='sale'");
    const result = await importFile(file, { map, zone: "Europe/London" }, weir.importDeps("csv"));
    expect(result).toMatchObject({ received: 3, stored: 1, quarantined: 2, ok: true });
    const stored = await weir.store.sql`
      select event_id, to_char(event_time at time zone 'utc', 'YYYY-MM-DD HH24:MI') as at, revenue::text
      from events where project_id = 'csv'`;
    expect([...stored]).toEqual([{ event_id: "1", at: "2011-07-01 11:00", revenue: "2.75" }]);
    const kept = await weir.store.sql`
      select reason, convert_from(original, 'utf8') as original
      from quarantine where project_id = 'csv' order by index`;
    expect([...kept]).toEqual([
      { reason: "event_malformed", original: rows[2] },
      { reason: "invalid_type", original: rows[3] },
    ]);
  });

  it("reconciles: nothing lost, nothing in flight", async () => {
    expect(await weir.reconcile()).toMatchObject({ ok: true, lost: 0, in_flight: 0 });
  });
});
