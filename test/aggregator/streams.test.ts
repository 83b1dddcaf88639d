// Random streams with every kind of copy: whatever comes, each event is stored once and the ledger closes.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Store } from "../../aggregator/store/store.ts";
import { outcome } from "../../shared/wire/batch.ts";
import { manualClock } from "../support/clock.ts";
import { nextBatchId, noon, recordOf, type Sketch } from "./records.ts";
import { closeScene, openHand, openScene } from "./scene.ts";

const seeds = [1, 2, 3, 4, 5, 6];
const checks = join(import.meta.dirname, "../../sql/checks");

describe("a random stream", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-streams-"));
  let store: Store;
  beforeAll(async () => {
    store = await openScene(`embedded:${folder}/postgres`);
  });
  afterAll(async () => {
    await closeScene(store);
    rmSync(folder, { recursive: true, force: true });
  });

  // Run one alone with: vitest run test/aggregator/streams.test.ts -t "seed 3"
  it.each(seeds)("is stored once and closes, seed %i", async (seed) => {
    await store.sql`
      truncate events, ledger, ledger_retransmissions, quarantine, quarantined_records, moved_events, fresh_events, stale_days, log_positions`;
    const { random } = manualClock(noon, seed);
    const below = (bound: number): number => {
      const [high, low] = random(2);
      return ((high! << 8) | low!) % bound;
    };
    const hand = await openHand(store, 3);
    const names = new Set<string>();
    const conflicts = new Set<string>();
    const records: Uint8Array[] = [];

    const sketch = (): Sketch => {
      const name = `s${seed}-${below(300)}`;
      // Two of the names are told with two contents; which of them is stored is the store's to say.
      const isTwofold = name.endsWith("7");
      const content = isTwofold && below(2) === 0 ? "other" : "same";
      names.add(name);
      if (isTwofold) conflicts.add(name);
      const at = noon - (Number(name.split("-")[1]) % 40) * 86_400_000;
      const movedTo =
        Number(name.split("-")[1]) % 5 === 0 && below(3) === 0 ? at + 3_600_000 + below(1_000) : undefined;
      return { name, content, at, ...(movedTo === undefined ? {} : { movedTo }) };
    };
    const record = (): Uint8Array => {
      if (records.length > 0 && below(8) === 0) return records[below(records.length)]!;
      if (below(40) === 0) return new Uint8Array([0xc1, below(256)]);
      const events: Sketch[] = Array.from({ length: 1 + below(30) }, sketch);
      if (below(6) === 0) {
        events.push({
          name: `refused-${below(5)}`,
          refusal: { code: "invalid_value", pointer: "", detail: "" },
          body: new Uint8Array([1]),
        });
      }
      if (below(6) === 0) events.push({ name: "claimed", outcome: outcome.duplicate });
      if (below(12) === 0) events.push({ name: `bad-${below(3)}`, fields: { payload: "{" } });
      const made = recordOf(events, { id: nextBatchId(), project: "p" });
      records.push(made);
      return made;
    };

    for (let write = 0; write < 25; write += 1) {
      // A resend meets its first copy in its own partition, as every writer of the log takes care of.
      const slices = [0, 1, 2].map((partition) =>
        hand.slice(partition, ...Array.from({ length: below(4) }, record)),
      );
      await hand.writer.write(slices.filter((slice) => slice.records.length > 0));
    }
    const [found] =
      await store.sql`select count(*)::int as rows, count(distinct event_id)::int as ids from events`;
    expect(found).toEqual({ rows: names.size, ids: names.size });
    const kept = await store.sql`select count(*)::int as count from quarantine where reason = 'conflict'`;
    expect(kept[0]?.["count"]).toBeLessThanOrEqual(conflicts.size);
    for (const file of readdirSync(checks)) {
      const rows = await store.sql.unsafe(readFileSync(join(checks, file), "utf8"));
      expect({ file, rows: [...rows] }).toEqual({ file, rows: [] });
    }
    await hand.close();
  });
});
