// What lies in the log and is not in the store yet, looked at beside the owners and moving nothing.
import { toUuid } from "../../shared/event/bytes.ts";
import type { LogReader } from "../../shared/log/log.ts";
import { unpackRecord } from "../../shared/wire/record.ts";
import { withDeadline } from "../store/errors.ts";

/** One record ahead of the store; `unreadable` ones hold a number of events nobody knows. */
export interface WaitingRecord {
  partition: number;
  offset: bigint;
  batchId: string;
  project: string;
  /** Epoch ms. */
  receivedAt: number;
  events: number;
  unreadable: boolean;
}

/** What was seen; `unreadable` says in words what could not be looked at. */
export interface Waiting {
  records: readonly WaitingRecord[];
  /** Ends of the partitions when the look began; empty where the log did not answer. */
  ends: ReadonlyMap<number, bigint>;
  /** Where the records begin that were not looked at, being too many or too slow. */
  unread: ReadonlyMap<number, bigint>;
  unreadable: readonly string[];
}

export interface InFlight {
  /** Looks from each partition's next offset on; a partition not named is looked at from its start. */
  look(nextOffsets: ReadonlyMap<number, bigint>): Promise<Waiting>;
}

/** Records kept in mind: at 500 events each, a quarter of a million events in flight can be told apart. */
const recordsMax = 512;
/** How long one look may take; what is left is looked at by the next one. */
const lookMs = 800;

/** Each record is read once, however often it is asked for while it waits. Calls do not overlap. */
export function createInFlight(reader: LogReader, now: () => number): InFlight {
  const seen = new Map<number, WaitingRecord[]>();
  let logId = reader.identity.id;
  // A log that hangs is asked once, not once a look.
  const reading = new Set<number>();
  let asking: ReturnType<LogReader["ranges"]> | undefined;

  function ranges(): ReturnType<LogReader["ranges"]> {
    asking ??= reader.ranges().finally(() => {
      asking = undefined;
    });
    return asking;
  }

  async function readOn(partition: number, from: bigint, to: bigint, until: number): Promise<void> {
    const records = seen.get(partition)!;
    reading.add(partition);
    try {
      for await (const record of reader.read(partition, from, to)) {
        records.push(readHead(partition, record.offset, record.value));
        if (now() >= until || countOf(seen) >= recordsMax) return;
      }
    } finally {
      reading.delete(partition);
    }
  }

  async function look(nextOffsets: ReadonlyMap<number, bigint>): Promise<Waiting> {
    if (reader.identity.id !== logId) seen.clear();
    logId = reader.identity.id;
    const until = now() + lookMs;
    const ends = new Map<number, bigint>();
    const unreadable: string[] = [];
    const unread = new Map<number, bigint>();
    for (const [partition, { start, end }] of await withDeadline("the log", lookMs, ranges())) {
      ends.set(partition, end);
      const next = nextOffsets.get(partition) ?? 0n;
      if (next < start) unreadable.push(`partition ${partition}: offsets ${next} to ${start - 1n} are gone`);
      if (next > end) unreadable.push(`partition ${partition}: ends at ${end}, before ${next}`);
      const kept = (seen.get(partition) ?? []).filter((record) => record.offset >= next);
      seen.set(partition, kept);
      const from = kept.length > 0 ? kept.at(-1)!.offset + 1n : next > start ? next : start;
      if (from >= end) continue;
      if (now() < until && countOf(seen) < recordsMax && !reading.has(partition)) {
        // A slow log is left alone at the deadline; what came until then counts, what comes later does not.
        await withDeadline("the log", until - now(), readOn(partition, from, end, until)).catch(() => {});
        seen.set(partition, [...kept]);
      }
      const reached = kept.at(-1);
      const first = reached === undefined ? from : reached.offset + 1n;
      if (first < end) unread.set(partition, first);
    }
    return { records: [...seen.values()].flat(), ends, unread, unreadable };
  }

  let last: Promise<unknown> = Promise.resolve();
  return {
    look(nextOffsets) {
      const looked = last
        .then(() => look(nextOffsets))
        .catch(() => ({
          records: [],
          ends: new Map(),
          unread: new Map(),
          unreadable: ["the log does not answer"],
        }));
      last = looked;
      return looked;
    },
  };
}

function countOf(seen: ReadonlyMap<number, readonly unknown[]>): number {
  let count = 0;
  for (const records of seen.values()) count += records.length;
  return count;
}

function readHead(partition: number, offset: bigint, value: Uint8Array): WaitingRecord {
  try {
    const { batch } = unpackRecord(value);
    return {
      partition,
      offset,
      batchId: toUuid(batch.batchId),
      project: batch.project,
      receivedAt: batch.receivedAt,
      events: batch.count,
      unreadable: false,
    };
  } catch {
    return { partition, offset, batchId: "", project: "", receivedAt: 0, events: 0, unreadable: true };
  }
}
