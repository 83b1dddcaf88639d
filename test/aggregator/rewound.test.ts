// Offsets that a log gives out once more after it became shorter: each record at them is accounted for.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runChecks } from "../../aggregator/ledger/checks.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { reads, recordOf } from "./records.ts";
import { closeScene, countRows, openHand, openScene } from "./scene.ts";

const minutes = 120_000;

describe("an offset given out once more", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-rewound-"));
  let store: Store;
  beforeAll(async () => {
    store = await openScene(`embedded:${join(folder, "postgres")}`);
  }, minutes);
  afterAll(async () => {
    await closeScene(store);
    rmSync(folder, { recursive: true, force: true });
  });

  it.each([
    [
      "a further record of a batch",
      "ledger_retransmissions",
      recordOf([{ name: "one" }], { id: Buffer.alloc(16, 1) }),
    ],
    ["a record that cannot be read", "quarantined_records", Buffer.from("no record")],
  ])(
    "is noted again for %s",
    async (_, table, record) => {
      const hand = await openHand(store, 1);
      try {
        await hand.write(0, recordOf([{ name: "one" }], { id: Buffer.alloc(16, 1) }), record);
        const before = await countRows(store, table);
        await hand.writer.skip({ partition: 0, from: 2n, to: 1n });
        await hand.writer.write([{ partition: 0, records: reads(1n, record) }]);
        expect(await countRows(store, table)).toBe(before + 1);
        const checks = await store.sql.begin((tx) => runChecks(tx));
        expect(checks.filter(({ ok }) => !ok)).toEqual([]);
      } finally {
        await hand.close();
      }
    },
    minutes,
  );
});
