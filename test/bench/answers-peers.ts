// The same events in two analytical engines, where they are installed: DuckDB and ClickHouse over one Parquet file.
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { Store } from "../../aggregator/store/store.ts";

/** Runs one statement; answers its rows. */
export interface Engine {
  name: string;
  ask(sql: string): Promise<Record<string, unknown>[]>;
  /** The Parquet file as a table of this engine. */
  table: string;
  /** Difference of two days, of two columns. */
  daysBetween(from: string, to: string): string;
  close(): void;
}

interface DuckConnection {
  runAndReadAll(sql: string): Promise<{ getRowObjectsJS(): Record<string, unknown>[] }>;
  closeSync(): void;
}

/** A column of the peers' file: its name, what it is in events, and its type in DuckDB. */
export type PeerColumn = readonly [name: string, of: string, type: string];

const timed: PeerColumn[] = [
  ["user_id", "user_id", "varchar"],
  ["type", "type", "varchar"],
  ["t", "event_time at time zone 'UTC'", "timestamp"],
];

/** Engines that are installed beside the benchmark (`npm install --no-save @duckdb/node-api chdb`), and who is missing. */
export async function openPeers(
  store: Store,
  folder: string,
  columns: readonly PeerColumn[] = timed,
): Promise<{ engines: Engine[]; missing: string[] }> {
  const [engines, missing]: [Engine[], string[]] = [[], []];
  // Names are held in variables: the packages are not among ours.
  const [duckName, clickName] = ["@duckdb/node-api", "chdb"];
  const duck = await import(duckName).catch(() => undefined);
  if (duck === undefined) return { engines, missing: [duckName, clickName] };
  const instance = await duck.DuckDBInstance.create(":memory:");
  const connection: DuckConnection = await instance.connect();
  const parquet = join(folder, "events.parquet");
  const csv = join(folder, "events.csv");
  const session = await store.writer();
  await session`set statement_timeout = 0`;
  const selected = columns.map(([name, of]) => `${of} as ${name}`);
  const rows = await session
    .unsafe(`copy (select ${selected.join(", ")} from events order by event_time) to stdout (format csv)`)
    .readable();
  await pipeline(rows, createWriteStream(csv));
  await session.end();
  const types = columns.map(([name, , type]) => `${name}: '${type}'`);
  await connection.runAndReadAll(`
    copy (from read_csv('${csv}', header = false, columns = {${types.join(", ")}})) to '${parquet}' (format parquet)`);
  engines.push({
    name: "DuckDB",
    table: `read_parquet('${parquet}')`,
    ask: async (sql) => (await connection.runAndReadAll(sql)).getRowObjectsJS(),
    daysBetween: (from, to) => `date_diff('day', ${from}, ${to})`,
    close: () => connection.closeSync(),
  });
  const click = await import(clickName).catch(() => undefined);
  if (click === undefined) return { engines, missing: [clickName] };
  const ask = async (sql: string) =>
    (String(click.query(sql, "JSONEachRow")).match(/.+/g) ?? []).map((line) => JSON.parse(line));
  engines.push({
    name: "ClickHouse",
    table: `file('${parquet}', Parquet)`,
    ask,
    daysBetween: (from, to) => `dateDiff('day', ${from}, ${to})`,
    close: () => {},
  });
  return { engines, missing };
}

/** Rows (cohort, period, users): people by the day of their first event and the days behind it. */
export const retentionSql = ({ table, daysBetween }: Engine, periods: number): string => `
  with days as (select distinct user_id, date_trunc('day', t) as d from ${table}),
  firsts as (select user_id, min(d) as c from days group by user_id)
  select ${daysBetween("firsts.c", "days.d")} as period, count(*) as users
  from days join firsts on days.user_id = firsts.user_id
  where ${daysBetween("firsts.c", "days.d")} < ${periods}
  group by firsts.c, period`;

/** One row of how many people came how far: each step's first event behind the one before, within the window. */
export const funnelSql = ({ table }: Engine, steps: readonly string[], windowDays: number): string => {
  const later = steps.slice(1).map(
    (type, at) => `
  s${at + 1} as (
    select s.user_id as user_id, s.begun as begun, min(e.t) as reached
    from s${at} s join ${table} e on e.user_id = s.user_id
    where e.type = '${type}' and e.t > s.reached and e.t <= s.begun + interval ${windowDays} day
    group by s.user_id, s.begun
  )`,
  );
  const counts = steps.map((_, at) => `(select count(*) from s${at}) as n${at}`);
  return `
  with s0 as (select user_id, min(t) as reached, min(t) as begun from ${table} where type = '${steps[0]}' group by user_id),
  ${later.join(",")}
  select ${counts.join(", ")}`;
};

/** Rows (d, users). */
export const activeSql = ({ table }: Engine): string =>
  `select date_trunc('day', t) as d, count(distinct user_id) as users from ${table} group by d order by d`;
