// Making figures anew: it changes nothing that was right, mends what was wrong, and says which.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { Sql } from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { foldStep } from "../../../aggregator/model/fold-step.ts";
import { models, modelTables } from "../../../aggregator/model/models.ts";
import { recompute } from "../../../aggregator/model/recompute.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { systemClock } from "../../../shared/clock.ts";
import { closeScene, openScene } from "../scene.ts";
import { dayMs, play, type Step, steps, streamsFrom } from "./streams.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-recompute-"));
let store: Store;
let session: Sql;
beforeAll(async () => {
  store = await openScene(`embedded:${folder}/postgres`);
  session = await store.writer();
  await store.sql`create table events_given partition of events default`;
}, 180_000);
afterAll(async () => {
  await session.end();
  await closeScene(store);
  rmSync(folder, { recursive: true, force: true });
});

const dayOf = (at: number): string => new Date(streamsFrom + at * dayMs).toISOString().slice(0, 10);
const all = { from: dayOf(-1), to: dayOf(5) };
const again = (span = all) => recompute({ session, models, clock: systemClock, ...span });

/** Plays the stream with every model; the last fold of it is left to be done. */
async function playAll(played: readonly Step[]): Promise<void> {
  await store.sql`truncate ${store.sql([...modelTables].filter((name) => name !== "persons"))}, row_removals`;
  const every = {
    name: "person_days",
    fold: async (tx: Parameters<(typeof models)[0]["fold"]>[0]) => {
      for (const model of models) await model.fold(tx);
    },
    clear: async (...given: Parameters<(typeof models)[0]["clear"]>) => {
      for (const model of models) await model.clear(...given);
    },
    rows: models[0]!.rows,
  };
  await play({ store, session, model: every }, played);
}

const few: Step = {
  kind: "store",
  events: [0, 1, 2].map((at) => ({
    at: streamsFrom + at * dayMs + 1_000,
    type: "buy",
    user: "a",
    anonymous: null,
  })),
};

describe("figures made anew", () => {
  it("are what they were, whatever came in which order", async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (played) => {
        await playAll(played);
        expect((await again()).changed).toEqual([]);
      }),
      { numRuns: 15, seed: 11 },
    );
  }, 600_000);

  it("are mended where they were wrong, and named", async () => {
    await playAll([few]);
    await store.sql`update quarter_counts set events = events + 1 where quarter < ${new Date(streamsFrom + dayMs)}`;
    await store.sql`delete from active_bits where bucket >= ${new Date(streamsFrom + 2 * dayMs)}`;
    expect(await again({ from: dayOf(1), to: dayOf(1) })).toEqual({ days: 1, frozen: 0, changed: [] });
    expect(await again()).toEqual({
      days: 3,
      frozen: 0,
      changed: [
        { project: "p", day: dayOf(0), model: "quarter_counts" },
        { project: "p", day: dayOf(2), model: "active_bits" },
      ],
    });
    expect(await again()).toEqual({ days: 3, frozen: 0, changed: [] });
  });

  it("hold what waited to be folded, once", async () => {
    await playAll([few]);
    const model = models.find(({ name }) => name === "quarter_counts")!;
    await store.sql`truncate ${store.sql(models.map(({ name }) => name))}`;
    await store.sql`
      insert into fresh_events (project_id, day, ids)
      select project_id, (event_time at time zone 'UTC')::date, array_agg(id) from events group by 1, 2`;
    expect(await again()).toEqual({ days: 3, frozen: 0, changed: [] });
    expect(await foldStep(session, [model])).toEqual({ events: 0, days: 0 });
    const [row] = await store.sql`select sum(events)::int as events from quarter_counts`;
    expect(row).toEqual({ events: 3 });
  });

  it("are left where events have expired", async () => {
    await playAll([few]);
    await store.sql`
      insert into row_removals (project_id, day, reason, removed) values ('p', ${dayOf(1)}, 'expired', 1)`;
    expect(await again()).toEqual({ days: 2, frozen: 1, changed: [] });
  });
});
