// Whether a larger store stays as fast: stores of each size are made first, then measured in turn. Those of
// WEIR_BENCH_STORES, a folder, are kept there and measured again, since 50 million events take an hour to make.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { activeUsers } from "../../aggregator/read/active-users.ts";
import { answer } from "../../aggregator/read/answer.ts";
import { funnel } from "../../aggregator/read/funnel.ts";
import type { Question } from "../../aggregator/read/question.ts";
import { retention } from "../../aggregator/read/retention.ts";
import { migrate } from "../../aggregator/store/migrate.ts";
import { openStore } from "../../aggregator/store/open.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { openScene } from "../aggregator/scene.ts";
import { foldAll } from "../support/fold-all.ts";
import { makeEvents } from "./answers-data.ts";
import { type Add, type Bench, interleave, median } from "./bench.ts";
import { batchesOf, makeEvents as makeSent, recordsOf } from "./events.ts";
import { settle, writePath } from "./store-sides.ts";

const dayMs = 86_400_000;
const from = Date.UTC(2026, 2, 2);
const days = 56;
const users = 20_000;
/** In the middle of what is stored, so that the index of that day is as large as any. */
const crowded = from + 20 * dayMs;
const sizes = [250_000, 1_000_000];
const longSizes = [1_000_000, 5_000_000, 50_000_000];
const within = 0.2;
const rounds = 11;
const writeRounds = 5;
const lotRows = 60_000;
const batchRows = 500;
const fillMsMax = 6 * 3_600_000;

const questions: readonly [name: string, question: Question, query: Record<string, string[]>][] = [
  ["daily active users", activeUsers, {}],
  ["7-day retention", retention, { periods: ["8"] }],
  ["funnel of 3 steps in 7 days", funnel, { steps: ["page_view,add_to_cart,purchase"], window: ["7d"] }],
];

export default {
  name: "growth",
  needs: [],
  async run({ add, say, isLong }) {
    const kept = process.env["WEIR_BENCH_STORES"];
    const folder = kept ?? mkdtempSync(join(tmpdir(), "weir-bench-"));
    mkdirSync(folder, { recursive: true });
    const list = join(folder, "stores.json");
    const schemas: Record<string, string> = existsSync(list) ? JSON.parse(readFileSync(list, "utf8")) : {};
    // The first to open an embedded database starts it, the scenes join it, and the first ends it.
    const server = await openStore("embedded:", { schema: "weir", dataDir: folder });
    const stores = new Map<number, Store>();
    try {
      for (const size of isLong ? longSizes : sizes) {
        const schema = schemas[size];
        if (schema !== undefined) {
          stores.set(size, await openStore("embedded:", { schema, dataDir: folder }));
          await migrate(stores.get(size)!);
          continue;
        }
        say(`${size} events of ${users} people are made`);
        const store = await openScene("embedded:", folder);
        stores.set(size, store);
        await makeEvents(store, { events: size, users, days, from });
        say(`${size} events are folded`);
        await foldAll(store, { msMax: fillMsMax });
        await settle(store);
        schemas[size] = store.schema;
        writeFileSync(list, JSON.stringify(schemas));
      }
      say("all stores are measured in turn");
      const query = {
        from: [new Date(from).toISOString()],
        to: [new Date(from + days * dayMs).toISOString()],
      };
      for (const [name, question, more] of questions)
        await compare(add, name, "ms", rounds, stores, async (store) => {
          const begun = performance.now();
          await answer(store.sql, question, { ...query, ...more });
          return performance.now() - begun;
        });
      const writes = new Map<Store, Write>();
      for (const store of stores.values()) writes.set(store, await writing(store));
      await compare(
        add,
        `${lotRows.toLocaleString("en")} rows written`,
        "ms",
        writeRounds,
        stores,
        (store, round) => writes.get(store)!(round),
      );
    } finally {
      for (const store of stores.values()) await store.close();
      await server.close();
      if (kept === undefined) rmSync(folder, { recursive: true, force: true });
    }
  },
} satisfies Bench;

type Measure = (store: Store, round: number) => Promise<number>;

/** Tells the median at each size, and how many times that of the smallest store it is. */
async function compare(
  add: Add,
  name: string,
  unit: string,
  rounds: number,
  stores: ReadonlyMap<number, Store>,
  measure: Measure,
): Promise<void> {
  const sides = [...stores].map(
    ([size, store]) => [`${size}`, (round: number) => measure(store, round)] as const,
  );
  const figures = await interleave(rounds, Object.fromEntries(sides));
  const first = median(figures[`${Math.min(...stores.keys())}`]!);
  for (const size of stores.keys()) {
    const value = median(figures[`${size}`]!);
    const ratio = value / first;
    add(`${name}, at ${size.toLocaleString("en")} events; to the smallest`, value, unit, {
      ratio,
      goal: `≤ ${1 + within}`,
      ok: ratio <= 1 + within,
    });
  }
}

/** Writes one lot and takes it out again; answers the milliseconds of the first. */
type Write = (round: number) => Promise<number>;

async function writing(store: Store): Promise<Write> {
  const write = await writePath(store);
  return async (round) => {
    const lot = `grown-${round}`;
    const sent = makeSent(lot, [0, lotRows], [crowded, dayMs / lotRows]);
    const { wallMs } = await write(recordsOf(await batchesOf(sent, batchRows), 0));
    await store.sql`
      delete from events
      where event_time >= ${new Date(crowded)} and event_time < ${new Date(crowded + dayMs)}
        and event_id like ${`${lot}-%`}`;
    await store.sql`truncate fresh_events`;
    return wallMs;
  };
}
