// The log in one SQLite file: what embedded mode writes to, as durable as its disk (WAL, FULL).
import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Clock, systemClock } from "../clock.ts";
import { toHex } from "../event/bytes.ts";
import { logRetentionMs } from "../limits.ts";
import { type Bell, createBell } from "./delivery.ts";
import type { Log, LogIdentity, LogReader } from "./log.ts";
import { checkPartitions } from "./refusal.ts";
import { sqliteConsumer } from "./sqlite-consumer.ts";
import { sqliteProducer } from "./sqlite-producer.ts";
import { keptRanges, keptRecords } from "./sqlite-records.ts";

export interface SqliteLogOptions {
  topic: string;
  partitions?: number | undefined;
  clock?: Clock | undefined;
  /** How long records are kept; the default is limits.logRetentionMs. */
  retentionMs?: number | undefined;
}

/** One topic of an open file, as the roles share it. */
export interface SqliteTopic {
  database: Database;
  /** The topic's number in the file. */
  number: number;
  identity: LogIdentity;
  bell: Bell;
}

// A producer wakes the consumers of its own process; those of another process poll.
const bells = new Map<string, Bell>();

/** Opens the log in the file at `path`. The file is made by `create`; every role has its own connection. */
export function sqliteLog(path: string, options: SqliteLogOptions): Log {
  if (path === "" || path.startsWith(":")) throw new Error("sqlite: needs a file's path");
  const file = resolve(path);
  const clock = options.clock ?? systemClock;
  const bell = bells.get(file) ?? createBell();
  bells.set(file, bell);

  function open(synchronous: "full" | "normal"): SqliteTopic {
    const database = openFile(file, false, synchronous);
    try {
      const found = findTopic(database, options.topic);
      if (found === undefined) {
        throw new Error(`the topic ${options.topic} is missing in ${file}: make it first`);
      }
      checkPartitions(found.identity, options.partitions);
      return { database, bell, ...found };
    } catch (error) {
      database.close();
      throw error;
    }
  }

  return {
    label: `sqlite:${path}`,
    async create() {
      mkdirSync(dirname(file), { recursive: true });
      const database = openFile(file, true, "full");
      try {
        makeTopic(database, options, clock);
      } finally {
        database.close();
      }
    },
    weaknesses: async () => [],
    retentionMs: async () => options.retentionMs ?? logRetentionMs,
    producer: async () => sqliteProducer(open("full"), clock, options.retentionMs),
    // A lease or a noted position that a power cut takes back does no harm.
    consumer: async (group) => sqliteConsumer(open("normal"), group, clock),
    reader: async () => sqliteReader(open("normal")),
  };
}

function openFile(file: string, create: boolean, synchronous: "full" | "normal"): Database {
  let database: Database;
  try {
    database = new Database(file, { readwrite: true, create });
  } catch (cause) {
    throw new Error(`the log's file ${file} cannot be opened, or was not made yet`, { cause });
  }
  // Who only opens it may wait; writers hold the file for milliseconds.
  database.run("pragma busy_timeout = 2000");
  database.run("pragma page_size = 16384");
  database.run("pragma journal_mode = wal");
  database.run(`pragma synchronous = ${synchronous}`);
  database.run("pragma wal_autocheckpoint = 2000");
  database.run("pragma journal_size_limit = 67108864");
  return database;
}

function makeTopic(database: Database, options: SqliteLogOptions, clock: Clock): void {
  database
    .transaction(() => {
      for (const statement of schema) database.run(statement);
      const found = findTopic(database, options.topic);
      if (found !== undefined) return checkPartitions(found.identity, options.partitions);
      const partitions = options.partitions ?? 1;
      const { lastInsertRowid } = database
        .query("insert into topics (name, identity, partitions) values (?, ?, ?)")
        .run(options.topic, toHex(clock.random(16)), partitions);
      for (let partition = 0; partition < partitions; partition += 1) {
        database
          .query("insert into partitions (topic, partition, start, next) values (?, ?, 0, 0)")
          .run(lastInsertRowid, partition);
      }
    })
    .immediate();
}

function findTopic(database: Database, topic: string): { number: number; identity: LogIdentity } | undefined {
  const isLog = database.query("select 1 from sqlite_master where name = 'topics'").get() !== null;
  const row = isLog
    ? (database.query("select number, identity, partitions from topics where name = ?").get(topic) as {
        number: number;
        identity: string;
        partitions: number;
      } | null)
    : null;
  if (row === null) return undefined;
  return { number: row.number, identity: { id: row.identity, topic, partitions: row.partitions } };
}

function sqliteReader(topic: SqliteTopic): LogReader {
  return {
    identity: topic.identity,
    ranges: async () => keptRanges(topic),
    async *read(partition, from, to) {
      for (let next = from; next < to; ) {
        const records = keptRecords(topic, partition, next, to);
        yield* records;
        const last = records.at(-1);
        if (last === undefined) return;
        next = last.offset + 1n;
      }
    },
    async close() {
      topic.database.close();
    },
  };
}

// `start` and `next` stand apart from the records: a log whose records were all dropped knows its end.
const schema = [
  `create table if not exists topics (
    number integer primary key,
    name text not null unique,
    identity text not null,
    partitions integer not null
  )`,
  `create table if not exists partitions (
    topic integer not null,
    partition integer not null,
    start integer not null,
    next integer not null,
    primary key (topic, partition)
  ) without rowid`,
  `create table if not exists records (
    topic integer not null,
    partition integer not null,
    offset integer not null,
    time integer not null,
    value blob not null
  )`,
  "create unique index if not exists records_place on records (topic, partition, offset)",
  `create table if not exists groups (
    topic integer not null,
    name text not null,
    owner text not null,
    until integer not null,
    primary key (topic, name)
  ) without rowid`,
  `create table if not exists positions (
    topic integer not null,
    name text not null,
    partition integer not null,
    next integer not null,
    primary key (topic, name, partition)
  ) without rowid`,
];
