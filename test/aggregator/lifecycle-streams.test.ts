// Streams after retention and erasure: they go with their last event, and what was removed is never a gap.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { eraseSubject, expireEvents } from "../../aggregator/lifecycle/remove.ts";
import { askCompleteness } from "../../aggregator/read/completeness.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { until } from "../support/until.ts";
import { noon, recordOf, type Sketch } from "./records.ts";
import { openReplayScene, type ReplayScene } from "./replay-scene.ts";
import { countRows } from "./scene.ts";

const hour = 3_600_000;
const check = readFileSync(join(import.meta.dirname, "../../sql/checks/streams.sql"), "utf8");

/** The numbers of a stream, an hour apart and the last one at noon. */
const numbered = (streamId: string, seqs: readonly number[], fields: Sketch["fields"] = {}): Sketch[] =>
  seqs.map((seq, at) => ({
    name: `${streamId}-${seq}`,
    at: noon - (seqs.length - 1 - at) * hour,
    fields: { streamId, seq, userId: `user of ${streamId}`, ...fields },
  }));
const later = (hours: number, events: readonly Sketch[]): Sketch[] =>
  events.map((event) => ({ ...event, at: event.at! + hours * hour }));

function suite(title: string, url: () => string): void {
  describe(title, () => {
    let scene: ReplayScene;
    let store: Store;
    beforeEach(async () => {
      scene = await openReplayScene(url());
      store = scene.live;
    });
    afterEach(() => scene.close());

    const write = async (...events: Sketch[]): Promise<void> => {
      await scene.publish(0, recordOf(events));
      await scene.write([[0, 1]]);
    };
    const expire = (from: number, type?: string) =>
      expireEvents(store, { project: "p", type, from, actor: "test" });
    const erase = (id: string, to = noon + hour) =>
      eraseSubject(store, { project: "p", kind: "user_id", id, until: to, actor: "test" });
    const total = async () => {
      const { data } = await askCompleteness(store.sql, {});
      const { streams, expected, seen, declared_lost, gap } = data[0] as Record<string, number>;
      return { streams, expected, seen, declared_lost, gap };
    };
    const streams = async (): Promise<string[]> => {
      const rows = await store.sql`select stream_id from streams order by 1`;
      return rows.map((row) => String(row["stream_id"]));
    };
    /** Every stored number is known, nothing waits, and the log tells the same once more. */
    const holds = async (): Promise<void> => {
      expect(await store.sql.unsafe(check)).toEqual([]);
      expect([...(await store.sql`select stream_id from streams where touched_at is not null`)]).toEqual([]);
      const { tables } = await scene.replay(await scene.empty());
      expect(tables.filter(({ table, equal }) => /streams/.test(table) && !equal)).toEqual([]);
    };

    it("go with their newest event, and go on without a gap", async () => {
      await write(...numbered("old", [1, 2, 3]), ...later(24, numbered("young", [1, 2, 4])));
      expect(await total()).toMatchObject({ streams: 2, gap: 1 });
      await expire(noon + hour);
      expect(await streams()).toEqual(["young"]);
      expect(await total()).toMatchObject({ streams: 1, expected: 4, seen: 3, gap: 1 });
      // A copy of what was removed, and one that comes for the first time and too late.
      await write(...numbered("old", [2, 3]));
      expect(await streams()).toEqual(["young"]);
      await write(...later(48, numbered("old", [4, 5])));
      expect(await total()).toMatchObject({ streams: 2, expected: 6, seen: 5, gap: 1 });
      // What is missing from there on is missed.
      await write(...later(49, numbered("old", [8])));
      expect(await total()).toMatchObject({ expected: 9, seen: 6, gap: 3 });
      const { data } = await askCompleteness(store.sql, { by: ["stream"] });
      expect(data).toMatchObject([
        { stream_id: "old", missing: "6-7" },
        { stream_id: "young", missing: "3" },
      ]);
      await holds();
    });

    it("take what was declared lost with them", async () => {
      const lost = (count: number) => ({ context: JSON.stringify({ lost: count }) });
      await write(...numbered("s", [1, 5], lost(3)));
      expect(await total()).toMatchObject({ declared_lost: 3, gap: 0 });
      await expire(noon + hour);
      await write(...later(24, numbered("s", [6, 9], lost(4))));
      expect(await total()).toEqual({ streams: 1, expected: 4, seen: 2, declared_lost: 1, gap: 1 });
      await holds();
    });

    it("stay where only a part of them is removed, and that part is no gap", async () => {
      await write(...numbered("s", [1, 2, 3]), ...later(1, numbered("s", [4], { type: "click" })));
      await expire(noon - hour);
      expect(await total()).toMatchObject({ streams: 1, expected: 4, seen: 4, gap: 0 });
      await expire(noon + 2 * hour, "click");
      expect(await total()).toMatchObject({ streams: 1, expected: 4, seen: 4, gap: 0 });
      await holds();
      await expire(noon + 2 * hour, "purchase");
      expect(await streams()).toEqual([]);
      await holds();
    });

    it("go with their subject, and forget what only it had said of a shared one", async () => {
      await write(
        ...numbered("own", [1, 2, 3]),
        ...numbered("shared", [1, 2], { userId: "other", country: "Chile", device: "phone" }),
        ...later(1, numbered("shared", [3], { userId: "user of own", country: "Norway", device: "watch" })),
      );
      await erase("user of own");
      const rows = await store.sql`select stream_id, country, device from streams`;
      expect([...rows]).toEqual([{ stream_id: "shared", country: "Chile", device: "phone" }]);
      expect(await total()).toMatchObject({ streams: 1, expected: 3, seen: 3, gap: 0 });
      const [ended] =
        await store.sql`select removed_streams::text as text, next_seq::int as next from removed_streams`;
      expect(ended).toMatchObject({ next: 4, text: expect.not.stringContaining("own") });
      await write(...later(24, numbered("own", [4, 5])));
      expect(await total()).toMatchObject({ streams: 2, expected: 5, seen: 5, gap: 0 });
      await holds();
    });

    it("may be removed again and again", async () => {
      for (const [round, seqs] of [[1, 2], [3, 4], [7]].entries()) {
        await write(...later(round * 24, numbered("s", seqs)));
        expect(await total()).toMatchObject({ streams: 1, gap: round === 2 ? 2 : 0 });
        await expire(noon + (round * 24 + 1) * hour);
        expect(await total()).toMatchObject({ streams: 0, gap: 0 });
      }
      await holds();
    });

    it("are settled by the next call where one was cut short", async () => {
      await write(...numbered("s", [1, 2]), ...numbered("t", [1]));
      await store.sql`delete from events where stream_id = 's'`;
      await store.sql`update streams set touched_at = now() where stream_id = 's'`;
      await erase("nobody");
      expect(await streams()).toEqual(["t"]);
    });

    it("have no gap while writers are at work", async () => {
      const [lots, each] = [40, 5];
      const writing = (async () => {
        for (let lot = 0; lot < lots; lot += 1) {
          const seqs = Array.from({ length: each }, (_, at) => lot * each + at + 1);
          await write(...numbered("s", seqs), ...numbered("t", seqs, { userId: "other" }));
        }
      })();
      await until("something is stored", 10_000, async () => (await countRows(store, "events")) > 20);
      for (let round = 0; round < 5; round += 1) await erase("user of s", noon - hour);
      await writing;
      expect(await total()).toMatchObject({ streams: 2, gap: 0 });
      expect(await store.sql.unsafe(check)).toEqual([]);
    });
  });
}

describe("numbered streams", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-removed-streams-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  suite("on the embedded store", () => `embedded:${folder}/postgres`);
});

describeWith(["timescale"], "numbered streams on a server", () => {
  suite("of TimescaleDB", () => serviceUrl("timescale"));
});
