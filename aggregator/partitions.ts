// The monthly partitions of plain PostgreSQL, made before the first row of a month is written.
import type { Sql } from "postgres";
import type { Store } from "./store/store.ts";

/** Makes what is missing; remembers what is there. */
export interface Partitions {
  /** Events by their time, epoch ms. Nothing is to be done on a hypertable, which makes its own chunks. */
  ensure(events: readonly { time: number }[]): Promise<void>;
  /** Forgets what was known, after an error that a missing partition may have caused. */
  forget(): void;
}

export function createPartitions(store: Store): Partitions {
  const known = new Set<number>();
  return {
    async ensure(events) {
      if (store.flavour !== "postgresql") return;
      const missing = new Set<number>();
      // Events come in the order of their times, so that most are of the month before them.
      let [from, to] = [0, 0];
      for (const { time } of events) {
        if (time >= from && time < to) continue;
        const month = monthOf(time);
        [from, to] = [startOf(month), startOf(month + 1)];
        if (!known.has(month)) missing.add(month);
      }
      for (const month of [...missing].sort((left, right) => left - right)) {
        if (await make(store.sql, month)) known.add(month);
        // Somebody has moved the events to a hypertable since this process began.
        else return await store.inspect();
      }
    },
    forget: () => known.clear(),
  };
}

// Made like the events and then attached: that lets writers of other months go on, which `partition of`
// would not. There is no default partition, for it would have to be searched at every attach.
// Answers false where the events have no partitions.
async function make(sql: Sql, month: number): Promise<boolean> {
  const from = firstOf(month);
  const to = firstOf(month + 1);
  const name = `events_${from.split("-", 2).join("_")}`;
  return await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(hashtextextended(current_schema() || '.partitions', 0))`;
    const [found] = await tx`
      select to_regclass(${name}) is not null as made, relkind = 'p' as divided
      from pg_class
      where oid = to_regclass('events')`;
    if (found?.["divided"] !== true) return false;
    if (found["made"] === true) return true;
    await tx`create table ${tx(name)} (like event_columns including defaults)`;
    await tx.unsafe(`alter table events attach partition ${name} for values from ('${from}') to ('${to}')`);
    return true;
  });
}

// Months are counted from year 0.
function monthOf(time: number): number {
  const date = new Date(time);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

const startOf = (month: number): number => Date.UTC(Math.floor(month / 12), month % 12);

function firstOf(month: number): string {
  const year = String(Math.floor(month / 12)).padStart(4, "0");
  return `${year}-${String((month % 12) + 1).padStart(2, "0")}-01T00:00:00Z`;
}
