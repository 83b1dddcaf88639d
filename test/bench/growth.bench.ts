// Whether a store that grows stays as fast: rows a second, and questions out of the models, at each size.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { activeUsers } from "../../aggregator/read/active-users.ts";
import { answer } from "../../aggregator/read/answer.ts";
import { funnel } from "../../aggregator/read/funnel.ts";
import type { Question } from "../../aggregator/read/question.ts";
import { retention } from "../../aggregator/read/retention.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { closeScene, openScene } from "../aggregator/scene.ts";
import { foldAll } from "../support/fold-all.ts";
import { makeEvents } from "./answers-data.ts";
import { type Add, type Bench, median } from "./bench.ts";
import { batchesOf, makeEvents as makeSent, recordsOf } from "./events.ts";
import { type StoreSide, writePath } from "./store-sides.ts";

const dayMs = 86_400_000;
const from = Date.UTC(2026, 2, 2);
const days = 56;
const users = 20_000;
/** In the middle of what is stored, so that the index of that day is as large as any. */
const crowded = from + 20 * dayMs;
const sizes = [250_000, 1_000_000];
const longSizes = [1_000_000, 5_000_000, 50_000_000];
const within = 0.2;
const asks = 20;
const lots = 5;
const lotRows = 60_000;
const batchRows = 500;

const questions: readonly [name: string, question: Question, query: Record<string, string[]>][] = [
  ["daily active users", activeUsers, {}],
  ["7-day retention", retention, { periods: ["8"] }],
  ["funnel of 3 steps in 7 days", funnel, { steps: ["page_view,add_to_cart,purchase"], window: ["7d"] }],
];

export default {
  name: "growth",
  needs: [],
  async run({ add, say, isLong }) {
    const folder = mkdtempSync(join(tmpdir(), "weir-bench-"));
    const store = await openScene(`embedded:${folder}/postgres`);
    try {
      const first = new Map<string, number>();
      const write = await writePath(store);
      let held = 0;
      for (const size of isLong ? longSizes : sizes) {
        say(`${size} events of ${users} people`);
        await makeEvents(store, { events: size - held, users, days, from, lot: `${size} ` });
        held = size;
        await foldAll(store, { msMax: 6 * 3_600_000 });
        await store.sql`analyze`;
        await measure(store, write, size, (name, value, unit, isRate) => {
          const before = first.get(name) ?? value;
          first.set(name, before);
          // Above 1 it has become slower.
          const ratio = isRate ? before / value : value / before;
          judge(add, `${name}, at ${size.toLocaleString("en")} events`, value, unit, ratio);
        });
      }
    } finally {
      await closeScene(store);
      rmSync(folder, { recursive: true, force: true });
    }
  },
} satisfies Bench;

function judge(add: Add, name: string, value: number, unit: string, ratio: number): void {
  add(`${name}; slower than at first`, value, unit, {
    ratio,
    goal: `≤ ${1 + within}`,
    ok: ratio <= 1 + within,
  });
}

type Tell = (name: string, value: number, unit: string, isRate: boolean) => void;

async function measure(
  store: Store,
  write: StoreSide<readonly Uint8Array[]>,
  size: number,
  tell: Tell,
): Promise<void> {
  const query = { from: [new Date(from).toISOString()], to: [new Date(from + days * dayMs).toISOString()] };
  for (const [name, question, more] of questions) {
    const times: number[] = [];
    for (let at = 0; at <= asks; at += 1) {
      const begun = performance.now();
      await answer(store.sql, question, { ...query, ...more });
      if (at > 0) times.push(performance.now() - begun);
    }
    tell(name, median(times), "ms", false);
  }
  const rates: number[] = [];
  for (let lot = 0; lot <= lots; lot += 1) {
    const sent = makeSent(`${size}-${lot}`, [0, lotRows], [crowded, dayMs / lotRows]);
    const records = recordsOf(await batchesOf(sent, batchRows), 0);
    const { wallMs } = await write(records);
    if (lot > 0) rates.push((lotRows / wallMs) * 1000);
    await store.sql`
      delete from events
      where event_time >= ${new Date(crowded)} and event_time < ${new Date(crowded + dayMs)}
        and event_id like ${`${size}-${lot}-%`}`;
    await store.sql`truncate fresh_events`;
  }
  tell("rows written", median(rates), "rows/s", true);
}
