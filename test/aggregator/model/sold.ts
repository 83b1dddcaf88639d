// Random streams of what people did and paid, for the suites of counts: written, copied, folded in pieces, erased.
import fc from "fast-check";
import type { Sql } from "postgres";
import { eraseSubject } from "../../../aggregator/lifecycle/remove.ts";
import { foldStep } from "../../../aggregator/model/fold-step.ts";
import { models, modelTables } from "../../../aggregator/model/models.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { foldAll } from "../../support/fold-all.ts";
import { recordOf, type Sketch } from "../records.ts";
import type { Hand } from "../scene.ts";

/** The clocks of Berlin and Lord Howe changed a month before, those of Havana and New York change within. */
export const soldFrom: number = Date.UTC(2026, 9, 30);
export const soldTo: number = soldFrom + 4 * 86_400_000;

/** Write some events, once more some that were written, fold up to so many, or erase a user up to a moment. */
export type SoldStep =
  | { kind: "write"; partition: number; project: string; sketches: Omit<Sketch, "name">[] }
  | { kind: "copy"; seed: number }
  | { kind: "fold"; idsMax: number }
  | { kind: "erase"; user: string; until: number };

// Often on a quarter of an hour or a millisecond beside it, often near a midnight.
const time = fc
  .tuple(
    fc.oneof(
      fc.nat(4 * 96 - 1),
      fc.tuple(fc.nat(3), fc.integer({ min: -4, max: 4 })).map(([d, q]) => d * 96 + q),
    ),
    fc.constantFrom(0, 0, 1, -1, 400_000),
  )
  .map(([quarter, off]) => soldFrom + Math.max(0, quarter * 900_000 + off));

const sketch = fc
  .record({
    at: time,
    type: fc.constantFrom("page_view", "purchase", "refund"),
    userId: fc.constantFrom(null, "a", "b", "c"),
    anonymousId: fc.constantFrom(null, "a", "x"),
    country: fc.constantFrom(null, "DE", "FR"),
    appVersion: fc.constantFrom(null, "1", "2"),
    money: fc.constantFrom(
      [null, null],
      [null, "USD"],
      ["0.10", "USD"],
      ["-1000000000.05", "USD"],
      ["3.333", "EUR"],
      ["5", null],
    ),
  })
  .map(({ at, money: [revenue, currency], ...fields }) => ({
    at,
    fields: { ...fields, revenue: revenue!, currency: currency! },
  }));

export const soldSteps: fc.Arbitrary<SoldStep[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("write" as const),
        partition: fc.nat(1),
        project: fc.constantFrom("p", "p", "q"),
        sketches: fc.array(sketch, { minLength: 1, maxLength: 40 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("copy" as const), seed: fc.nat(100) }) },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("fold" as const), idsMax: fc.integer({ min: 1, max: 60 }) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("erase" as const),
        user: fc.constantFrom("a", "b"),
        until: time,
      }),
    },
  ),
  { minLength: 1, maxLength: 10 },
);

/** A stored event. */
export interface Sold {
  project: string;
  at: number;
  type: string;
  user: string | null;
  person: string | null;
  country: string | null;
  version: string | null;
  revenue: string | null;
  currency: string | null;
}

/** What plays a stream: `session` is one of the store's own. */
export interface Stage {
  store: Store;
  hand: Hand;
  session: Sql;
}

/** Empties the store, does the steps and folds what is left; answers what is stored then. */
export async function playSold({ store, hand, session }: Stage, steps: readonly SoldStep[]): Promise<Sold[]> {
  const { sql } = store;
  const emptied = [...modelTables, "events", "row_removals", "erasures", "retained_from"].join(", ");
  await sql.unsafe(`truncate ${emptied}`);
  const written: { partition: number; project: string; sketches: Sketch[] }[] = [];
  for (const step of steps) {
    if (step.kind === "fold") await foldStep(session, models, step.idsMax);
    if (step.kind === "erase") {
      const { user: id, until } = step;
      await eraseSubject(store, { project: "p", actor: "t", kind: "user_id", id, until });
    }
    if (step.kind === "write") {
      const { project, partition } = step;
      const sketches = step.sketches.map((one) => ({ ...one, name: nextName() }));
      written.push({ partition, project, sketches });
      await hand.write(partition, recordOf(sketches, { project }));
    }
    if (step.kind === "copy" && written.length > 0) {
      const { partition, project, sketches } = written[step.seed % written.length]!;
      await hand.write(1 - partition, recordOf(sketches.slice(step.seed % sketches.length), { project }));
    }
  }
  await foldAll(store);
  return await storedNow(store);
}

let made = 0;
function nextName(): string {
  made += 1;
  return `sold-${made}`;
}

async function storedNow({ sql }: Store): Promise<Sold[]> {
  const rows = await sql<Sold[]>`
    select project_id as project, (extract(epoch from event_time) * 1000)::float8 as at, type, user_id as "user",
      coalesce(user_id, anonymous_id) as person, country, app_version as version, revenue::text, currency
    from events`;
  return [...rows];
}

/** Rows by what `keyOf` says of them. */
export function grouped<Row>(
  rows: readonly Row[],
  keyOf: (row: Row) => readonly unknown[],
): [string, Row[]][] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = JSON.stringify(keyOf(row));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return [...groups];
}

/** Money in thousandths, which add up exactly. */
export function milli(revenue: string | number | null): number {
  return Math.round(Number(revenue ?? 0) * 1000);
}

/** The sum of all revenues in thousandths. */
export function milliOf(rows: readonly Sold[]): number {
  return rows.reduce((sum, { revenue }) => sum + milli(revenue), 0);
}
