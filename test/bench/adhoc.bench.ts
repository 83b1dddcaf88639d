// What a person asks of the events in SQL, all of them in the columnstore, against DuckDB over the same events as
// Parquet where it is installed. Both sides must give the same rows.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Sql } from "postgres";
import { ownSelectSettings } from "../../aggregator/read/own-select.ts";
import { closeScene, openScene } from "../aggregator/scene.ts";
import { urlName } from "../services/setup.ts";
import { makeEvents } from "./answers-data.ts";
import { type Engine, openPeers, type PeerColumn } from "./answers-peers.ts";
import { type Add, type Bench, interleave, median, ratioOf } from "./bench.ts";

const from = Date.UTC(2026, 2, 2);
const days = 56;
const users = 20_000;
const rounds = 5;
const goal = 3;
/** Of these people one comes often and one seldom. */
const [often, seldom] = ["user-7", "user-2000"];

const columns: PeerColumn[] = [
  ["event_time", "event_time at time zone 'UTC'", "timestamp"],
  ["type", "type", "varchar"],
  ["user_id", "user_id", "varchar"],
  ["session_id", "session_id", "varchar"],
  ["country", "country", "varchar"],
  ["device", "device", "varchar"],
  ["app_version", "app_version", "varchar"],
  ["revenue", "revenue", "decimal(18, 2)"],
  ["currency", "currency", "varchar"],
  ["payload", "payload", "json"],
];

interface Asked {
  name: string;
  /** The same text for both sides, but for where the events are. */
  sql(table: string): string;
  /** The same question as the columnstore answers it quickest, where that is another text. */
  apt?: string;
}

const questions: Asked[] = [
  {
    name: "events by type and day",
    sql: (table) => `select type, date_trunc('day', event_time) as day, count(*) from ${table} group by 1, 2`,
    apt: "select type, time_bucket('1 day', event_time) as day, count(*) from events group by 1, 2",
  },
  {
    name: "distinct people by country",
    sql: (table) => `select country, count(distinct user_id) from ${table} group by 1`,
    // A row for each person first: of distinct values alone the server sorts all events.
    apt: `
      select country, count(*)
      from (select country, user_id, count(*) from events group by 1, 2) as people
      group by 1`,
  },
  {
    name: "top ten of a property",
    sql: (table) => `
      select payload ->> 'path' as path, count(*) from ${table}
      where type = 'page_view' group by 1 order by 2 desc, 1 limit 10`,
  },
  {
    name: "revenue by day",
    sql: (table) => `
      select date_trunc('day', event_time) as day, sum(revenue) from ${table} where currency = 'USD' group by 1`,
    apt: `
      select time_bucket('1 day', event_time) as day, sum(revenue) from events where currency = 'USD' group by 1`,
  },
  {
    name: "a rare type in a month, by device",
    sql: (table) => `
      select device, count(*), sum(revenue) from ${table}
      where type = 'purchase' and event_time >= '2026-03-10' and event_time < '2026-04-10' group by 1`,
  },
  {
    name: "events of one who comes often",
    sql: (table) => personSql(table, often),
  },
  {
    name: "events of one who comes seldom",
    sql: (table) => personSql(table, seldom),
  },
];

const personSql = (table: string, person: string): string =>
  `select event_time, type, payload ->> 'path' from ${table} where user_id = '${person}' order by event_time`;

export default {
  name: "adhoc",
  needs: ["timescale_community"],
  async run({ add, say, isLong }) {
    const folder = mkdtempSync(join(tmpdir(), "weir-bench-"));
    const store = await openScene(process.env[urlName("timescale_community")]!);
    const session = await store.writer();
    try {
      const events = isLong ? 5_000_000 : 500_000;
      say(`${events} events of ${users} people are made`);
      add("events, all of them as columns", events, "events");
      await makeEvents(store, { events, users, days, from });
      await session`set statement_timeout = 0`;
      // As `weir query` asks.
      for (const [name, value] of Object.entries(ownSelectSettings))
        await session`select set_config(${name}, ${value}, false)`;
      await session`select compress_chunk(c) from show_chunks('events') as c`;
      await session`vacuum analyze events`;
      const { engines, missing } = await openPeers(store, folder, columns);
      for (const name of missing) say(`NOT RUN: ${name} (npm install --no-save ${name})`);
      const [duck] = engines;
      for (const asked of questions) await compare({ session, duck, add }, asked);
      for (const engine of engines) engine.close();
    } finally {
      await session.end();
      await closeScene(store);
      rmSync(folder, { recursive: true, force: true });
    }
  },
} satisfies Bench;

interface Sides {
  session: Sql;
  duck: Engine | undefined;
  add: Add;
}

async function compare({ session, duck, add }: Sides, { name, sql, apt }: Asked): Promise<void> {
  const figures = new Set<string>();
  const timed = async (ask: () => Promise<readonly Record<string, unknown>[]>): Promise<number> => {
    const begun = performance.now();
    const rows = await ask();
    const spent = performance.now() - begun;
    if (rows.length === 0) throw new Error(`${name}: there is no answer`);
    figures.add(figuresOf(rows));
    if (figures.size > 1) throw new Error(`${name}: the sides differ: ${[...figures].join(" and ")}`);
    return spent;
  };
  const texts = { [name]: sql("events"), ...(apt === undefined ? {} : { [`${name}, in apt words`]: apt }) };
  const ours = Object.entries(texts).map(([title, text]) => [title, () => timed(() => session.unsafe(text))]);
  const peer = duck === undefined ? {} : { duck: () => timed(() => duck.ask(sql(duck.table))) };
  const times = await interleave<string>(rounds, { ...Object.fromEntries(ours), ...peer });
  const { duck: peerMs } = times;
  if (peerMs !== undefined) add(`${name}, DuckDB`, median(peerMs), "ms");
  for (const title of Object.keys(texts)) {
    const ms = times[title]!;
    const ratio = peerMs === undefined ? undefined : ratioOf(ms, peerMs);
    const judged = ratio === undefined ? {} : { ratio, goal: `≤ ${goal}`, ok: ratio <= goal };
    add(`${title}${ratio === undefined ? "" : ", to it"}`, median(ms), "ms", judged);
  }
}

// Both sides in one form: sorted, moments as text, and numbers as such, which either may write as text.
function figuresOf(rows: readonly Record<string, unknown>[]): string {
  const lines = rows.map((row) =>
    Object.values(row).map((value) => {
      if (value instanceof Date) return value.toISOString();
      const number = value === null ? Number.NaN : Number(value);
      return Number.isNaN(number) ? value : Number(number.toFixed(2));
    }),
  );
  return JSON.stringify(lines.map((line) => JSON.stringify(line)).sort());
}
