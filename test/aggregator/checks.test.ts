// Every check of sql/checks holds on a store with something of everything, and names what is broken by hand.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TransactionSql } from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runChecks, runReports } from "../../aggregator/ledger/checks.ts";
import { foldStep } from "../../aggregator/ledger/hours.ts";
import type { Store } from "../../aggregator/store/store.ts";
import type { LogReader } from "../../shared/log/log.ts";
import { nextBatchId, noon, recordOf } from "./records.ts";
import { closeScene, type Hand, openHand, openScene } from "./scene.ts";

const minutes = 60_000;
const later = (): number => Math.max(Date.now(), noon) + 20 * 86_400_000;

describe("the checks", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-checks-"));
  let store: Store;
  let hand: Hand;
  beforeAll(async () => {
    store = await openScene(`embedded:${folder}/postgres`);
    hand = await openHand(store);
    const refusal = { code: "event_malformed", pointer: "/type", detail: "none" } as never;
    const twice = recordOf([{ name: "a" }, { name: "b" }, { name: "r", refusal }]);
    await hand.write(0, twice, new Uint8Array([0xc1]), twice);
    const numbered = { identity: "sequence", streamId: "s", seq: 1 } as const;
    await hand.write(
      1,
      recordOf([
        { name: "a", content: "another" },
        { name: "n", fields: numbered },
      ]),
    );
    await hand.write(1, recordOf([{ name: "m", movedTo: noon + 5 }, { name: "c" }]));
    // Offsets 3 and 4 are a hole, and offset 5 was read twice, for the log became shorter.
    await hand.writer.skip({ partition: 0, from: 3n, to: 5n });
    const id = nextBatchId();
    await hand.writer.write([
      { partition: 0, records: [{ offset: 5n, time: noon, value: recordOf([{ name: "d" }], { id }) }] },
    ]);
    await hand.writer.skip({ partition: 0, from: 6n, to: 5n });
    await hand.writer.write([
      { partition: 0, records: [{ offset: 5n, time: noon, value: recordOf([{ name: "e" }]) }] },
    ]);
  }, minutes);
  afterAll(async () => {
    await hand.close();
    await closeScene(store);
    rmSync(folder, { recursive: true, force: true });
  });

  /** What the checks find after `statements`, of which nothing stays. */
  const broken = async (statements: readonly string[]): Promise<string[]> => {
    let names: string[] = [];
    const back = new Error("rolled back");
    const plant = async (tx: TransactionSql): Promise<void> => {
      for (const one of statements) await tx.unsafe(one);
      names = (await runChecks(tx)).filter(({ ok }) => !ok).map(({ name }) => name);
      throw back;
    };
    await store.sql.begin(plant).catch((error) => {
      if (error !== back) throw error;
    });
    return names;
  };

  const plants: Record<string, readonly (readonly string[])[]> = {
    conservation: [
      ["delete from events where event_id = 'c'"],
      [
        "insert into row_removals (project_id, day, reason, removed) values ('p', '2026-11-20', 'expired', 1)",
      ],
      ["insert into row_restorations (replay_id, project_id, restored) values (1, 'q', 1)"],
      ["update ledger set stored = stored - 1, duplicate_stored = duplicate_stored + 1 where stored = 2"],
    ],
    equation: [
      [
        "alter table ledger drop constraint ledger_received_closes",
        "update ledger set received = received + 1",
      ],
    ],
    event_time: [["update events set event_time = event_time + interval '1 ms' where event_id = 'c'"]],
    moved: [
      ["insert into moved_events (identity_hash, id) values ('\\x01', gen_random_uuid())"],
      ["update moved_events set id = gen_random_uuid()"],
    ],
    offsets: [
      ["update log_positions set next_offset = next_offset + 1 where partition = 1"],
      ["update log_positions set next_offset = next_offset - 1 where partition = 0"],
      ["delete from ledger_retransmissions"],
      ["delete from quarantined_records"],
      ["delete from log_holes"],
      ["delete from log_rewinds"],
      ["update ledger set log_offset = 7 where log_offset = 0 and partition = 1"],
    ],
    quarantine: [["delete from quarantine where reason = 'event_malformed'"], ["delete from quarantine"]],
    quarantine_retried: [
      [
        "update quarantine set status = 'retried', retried_at = now(), retry_batch_id = gen_random_uuid(), retry_index = 0",
      ],
    ],
    streams: [["delete from streams"], ["update streams set seqs = '{[5,9)}'"]],
  };

  it("are all tried here", () => {
    const files = readdirSync(join(import.meta.dirname, "../../sql/checks"));
    expect(files.map((file) => file.replace(".sql", "")).sort()).toEqual(Object.keys(plants).sort());
  });

  it("hold", async () => {
    expect(await broken([])).toEqual([]);
  });

  it.each(
    Object.entries(plants).flatMap(([name, all]) => all.map((statements) => [name, statements] as const)),
  )("%s is the one that sees: %s", async (name, statements) => {
    expect(await broken(statements)).toEqual([name]);
  });

  it("see through two sums at once", async () => {
    const [row] = await store.sql`select batch_id::text from ledger where stored = 2 limit 1`;
    const names = await broken([`delete from ledger where batch_id = '${row?.["batch_id"]}'`]);
    expect(names).toEqual(expect.arrayContaining(["conservation", "offsets"]));
  });

  it("report client ids that a client gave another time, which is its own doing", async () => {
    expect(await store.sql.begin(runReports)).toEqual([{ name: "restamped", rows: [] }]);
    await hand.write(1, recordOf([{ name: "c", at: noon + 1 }]));
    expect(await broken([])).toEqual([]);
    expect(await store.sql.begin(runReports)).toMatchObject([
      { name: "restamped", rows: [{ project_id: "p", event_id: "c", copies: "2" }] },
    ]);
  });

  it("hold for folded batches, and see those", async () => {
    const reader = { identity: hand.identity, ranges: async () => new Map() } as unknown as LogReader;
    while ((await foldStep({ store, reader, days: 14, nowMs: later() })) > 0);
    expect(await broken([])).toEqual([]);
    expect(await broken(["update ledger_hours set stored = stored + 1, received = received + 1"])).toEqual([
      "conservation",
    ]);
    expect(await broken(["update ledger_folded set records = records - 1 where partition = 1"])).toEqual([
      "offsets",
    ]);
    const open = "alter table ledger_hours drop constraint ledger_hours_closes";
    expect(await broken([open, "update ledger_hours set received = received + 1"])).toEqual(["equation"]);
  });
});
