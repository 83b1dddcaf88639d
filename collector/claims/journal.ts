// The file under the sqlite: claims: the calls of every process that uses it, one row each, in order.
import { Database } from "bun:sqlite";
import { closeSync, mkdirSync, openSync, readSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import type { ClaimPrefix, ClaimRequest } from "./claims.ts";

/** The calls of the port as they are kept. */
export const callKind = { claim: 0, settle: 1, release: 2 } as const;

/** One call as it was made at `at`, epoch ms. */
export interface JournalCall {
  sequence: number;
  at: number;
  kind: number;
  request: ClaimRequest;
}

interface Row {
  sequence: number;
  at: number;
  kind: number;
  batch_id: Uint8Array;
  attempt: Uint8Array;
  hashes: Uint8Array;
  fingerprints: Uint8Array;
}

/** All of it throws as SQLite does: locked for too long, full, broken. */
export interface Journal {
  /** Runs `work` alone among all processes; what it appended stays only if it returns. */
  alone<T>(work: () => T): T;
  /** The calls of this log after `sequence` and not before `since`. */
  after(sequence: number, since: number): Iterable<JournalCall>;
  end(): number;
  append(kind: number, request: ClaimRequest, at: number): number;
  /** Drops this log's calls before `sequence`, and anyone's before `since`. */
  forget(sequence: number, since: number): void;
  /** Adds to a counter of this log and answers its sum; every counter past its end is gone. */
  count(name: string, events: number, untilMs: number, now: number): number;
  close(): void;
}

// "WEIR" as a number. A file of anyone else is neither written to nor thrown away when it is broken.
const applicationId = 0x57454952;
/** A call holds the lock for less than a millisecond, so who waits longer waits for a stopped process. */
const lockMs = 100;
const none = new Uint8Array(0);

/** Opens or makes the file. A broken one of ours is begun anew by `removeBroken`. */
export function openJournal(path: string, prefix: ClaimPrefix): Journal {
  const database = openFile(path);
  const begin = database.query("begin immediate");
  const commit = database.query("commit");
  const insert = database.query(
    `insert into claims (log, at, kind, batch_id, attempt, hashes, fingerprints) values (?, ?, ?, ?, ?, ?, ?)`,
  );
  const after = database.query<Row, [Uint8Array, number, number]>(
    `select sequence, at, kind, batch_id, attempt, hashes, fingerprints
     from claims
     where log = ? and sequence > ? and at >= ?
     order by sequence`,
  );
  const end = database.query<{ sequence: number }, []>(
    "select coalesce(max(sequence), 0) as sequence from claims",
  );
  const forget = database.query("delete from claims where (log = ? and sequence < ?) or at < ?");
  const add = database.query<{ sum: number }, [Uint8Array, string, number, number]>(
    `insert into counters (log, name, sum, until) values (?, ?, ?, ?)
     on conflict do update set sum = sum + excluded.sum
     returning sum`,
  );
  const dropEnded = database.query("delete from counters where until <= ?");
  const sumOf = database.query<{ sum: number }, [Uint8Array, string, number]>(
    "select sum from counters where log = ? and name = ? and until > ?",
  );
  return {
    count(name, events, untilMs, now) {
      if (events === 0) return sumOf.get(prefix, name, now)?.sum ?? 0;
      dropEnded.run(now);
      return add.get(prefix, name, events, untilMs)!.sum;
    },
    alone(work) {
      begin.run();
      try {
        const result = work();
        commit.run();
        return result;
      } catch (error) {
        if (database.inTransaction) database.run("rollback");
        throw error;
      }
    },
    *after(sequence, since) {
      for (const row of after.iterate(prefix, sequence, since)) yield callOf(row);
    },
    end: () => end.get()!.sequence,
    append(kind, request, at) {
      const { batchId, attempt, hashes } = request;
      // Only a settle writes contents; a claim compares them and leaves no trace of that.
      const fingerprints = kind === callKind.settle ? request.fingerprints : none;
      return Number(insert.run(prefix, at, kind, batchId, attempt, hashes, fingerprints).lastInsertRowid);
    },
    forget: (sequence, since) => void forget.run(prefix, sequence, since),
    close: () => database.close(),
  };
}

/** Whether `error` says that the file is broken and the file is ours; it is then gone, with all it held. */
export function removeBroken(path: string, error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code !== "SQLITE_CORRUPT" && code !== "SQLITE_NOTADB") return false;
  if (applicationOf(path) !== applicationId) return false;
  for (const suffix of ["", "-wal", "-shm"]) rmSync(path + suffix, { force: true });
  return true;
}

function openFile(path: string): Database {
  mkdirSync(dirname(path), { recursive: true });
  const database = new Database(path, { create: true, strict: true });
  try {
    database.run(`pragma busy_timeout = ${lockMs}`);
    const owner = database.query<{ application_id: number }, []>("pragma application_id").get();
    const tables = database
      .query<{ tables: number }, []>("select count(*) as tables from sqlite_schema")
      .get();
    if (owner?.application_id !== applicationId) {
      if (tables?.tables !== 0) throw new Error("the claims' file belongs to something else");
      // Before the switch to WAL, so that it stands in the file itself from the first moment on.
      database.run(`pragma application_id = ${applicationId}`);
    }
    database.run("pragma journal_mode = wal");
    database.run("pragma synchronous = off");
    database.run(
      `create table if not exists claims (
        sequence integer primary key autoincrement,
        log blob not null,
        at integer not null,
        kind integer not null,
        batch_id blob not null,
        attempt blob not null,
        hashes blob not null,
        fingerprints blob not null
      ) strict`,
    );
    database.run(
      `create table if not exists counters (
        log blob not null,
        name text not null,
        sum integer not null,
        until integer not null,
        primary key (log, name)
      ) strict`,
    );
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

// The header's bytes 68 to 71 (https://sqlite.org/fileformat.html), read without SQLite, which would refuse.
function applicationOf(path: string): number {
  const header = Buffer.alloc(100);
  const file = openSync(path, "r");
  try {
    readSync(file, header, 0, header.length, 0);
  } finally {
    closeSync(file);
  }
  return header.readUInt32BE(68);
}

function callOf(row: Row): JournalCall {
  const { sequence, at, kind, hashes } = row;
  const count = hashes.length / 16;
  const fingerprints = row.fingerprints.length === 0 ? new Uint8Array(count * 8) : row.fingerprints;
  const request = { batchId: row.batch_id, attempt: row.attempt, count, hashes, fingerprints };
  return { sequence, at, kind, request };
}
