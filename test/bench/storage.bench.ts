// Bytes an event takes in the columnstore, against the first seed's table with the same rows; and late rows into it.
import type { Sql } from "postgres";
import { closeScene, openScene } from "../aggregator/scene.ts";
import { urlName } from "../services/setup.ts";
import { type Add, type Bench, median } from "./bench.ts";
import { fillBeacon, fillSeed } from "./storage-rows.ts";

const rows = 300_000;
const lateRows = 500;
const lateRounds = 3;
/** Columns told one by one: those above this many bytes an event. */
const tellBytes = 0.5;

export default {
  name: "storage",
  needs: ["timescale_community"],
  async run({ add, say }) {
    const store = await openScene(process.env[urlName("timescale_community")]!);
    const session = await store.writer();
    try {
      await session`set statement_timeout = 0`;
      say(`${rows} rows`);
      await fillBeacon(session, rows);
      await keepBack(session);
      await fillSeed(session);
      await measure(session, add);
    } finally {
      await session.end();
      await closeScene(store);
    }
  },
} satisfies Bench;

// Those that come late, taken from all over the day.
async function keepBack(session: Sql): Promise<void> {
  await session`
    create table late_events as
    select * from events order by uuid_hash_extended(id, 7) limit ${lateRows * lateRounds}`;
  await session`delete from events where (id, event_time) in (select id, event_time from late_events)`;
}

async function measure(session: Sql, add: Add): Promise<void> {
  for (const table of ["events", "seed_events"]) {
    await session`select compress_chunk(c, if_not_compressed => true) from show_chunks(${table}) as c`;
  }
  const [ours, seed] = [await bytesOf(session, "events"), await bytesOf(session, "seed_events")];
  add("the first seed's table, by its own settings", seed, "B/event");
  const ratio = ours / seed;
  add("events, to it", ours, "B/event", { ratio, goal: "≤ 0.45", ok: ratio <= 0.45 });
  add("events", ours, "B/event", { goal: "≤ 65 B", ok: ours <= 65 });
  for (const [column, bytes] of await columnsOf(session)) {
    if (bytes >= tellBytes) add(`of it ${column}`, bytes, "B/event");
  }
  const took: number[] = [];
  for (let round = 0; round < lateRounds; round += 1) {
    const began = performance.now();
    const { count } = await session`
      insert into events
      select * from (select * from late_events order by id offset ${round * lateRows} limit ${lateRows}) as late
      on conflict do nothing`;
    took.push(performance.now() - began);
    if (count !== lateRows) throw new Error(`${count} of ${lateRows} late rows were stored`);
  }
  const late = median(took);
  add(`${lateRows} late rows into it`, late, "ms", { goal: "≤ 150 ms", ok: late <= 150 });
}

async function bytesOf(session: Sql, table: string): Promise<number> {
  const [row] = await session`
    select
      (after_compression_total_bytes::float8 / (select count(*) from ${session(table)})) as bytes
    from hypertable_columnstore_stats(${table})`;
  return row!["bytes"];
}

// As they lie in the columnstore, without what pages and their index add.
async function columnsOf(session: Sql): Promise<[column: string, bytes: number][]> {
  const [chunk] = await session`
    select compress_relid::regclass::text as name
    from _timescaledb_catalog.compression_settings
    where relid = (select c::regclass from show_chunks('events') as c limit 1)`;
  if (chunk === undefined) return [];
  const names = await session`
    select attname::text as name from pg_attribute
    where attrelid = ${chunk["name"]}::regclass and attnum > 0 and not attisdropped and attname not like '\\_ts\\_meta%'`;
  const sums = names.map(
    ({ name }) => `sum(pg_column_size("${name}"))::float8 / sum(_ts_meta_count) as "${name}"`,
  );
  const [row] = await session.unsafe(`select ${sums.join(", ")} from ${chunk["name"]}`);
  return Object.entries(row as Record<string, number>).sort((left, right) => right[1] - left[1]);
}
