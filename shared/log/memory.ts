// The log in memory: for tests and simulations, gone with its process.
import { type Clock, systemClock } from "../clock.ts";
import { toHex } from "../event/bytes.ts";
import { recordBytesMax } from "../limits.ts";
import { createBell, takeBounded } from "./delivery.ts";
import type { Log, LogIdentity, LogProducer, LogReader, ReadRecord } from "./log.ts";
import { createMemoryGroup, type MemoryGroup } from "./memory-group.ts";
import { checkPartitions, closedError, refuseRecord } from "./refusal.ts";

export interface MemoryLogOptions {
  topic: string;
  /** For a topic made here; 1 when absent. */
  partitions?: number | undefined;
  clock?: Clock | undefined;
}

/** What is kept of one topic; consumers are woken by the bell. */
export interface MemoryTopic {
  identity: LogIdentity;
  /** First kept offset and the records from there on, of every partition. */
  kept: { start: bigint; records: ReadRecord[] }[];
  bell: ReturnType<typeof createBell>;
  groups: Map<string, MemoryGroup>;
}

/** A place that holds topics by name; two logs opened on one place are the same log. */
export type MemoryPlace = Map<string, MemoryTopic>;

const places = new Map<string, MemoryPlace>();

/** The place with this name, one for the whole process. */
export function memoryPlace(name: string): MemoryPlace {
  const place = places.get(name) ?? new Map<string, MemoryTopic>();
  places.set(name, place);
  return place;
}

/** Opens the log of one topic at `place`. */
export function memoryLog(place: MemoryPlace, options: MemoryLogOptions): Log {
  const clock = options.clock ?? systemClock;
  const topic = (): MemoryTopic => {
    const found = place.get(options.topic);
    if (found === undefined) throw new Error(`the topic ${options.topic} is missing: make it first`);
    checkPartitions(found.identity, options.partitions);
    return found;
  };
  return {
    label: "memory:",
    async create() {
      const found = place.get(options.topic);
      if (found === undefined) place.set(options.topic, emptyTopic(options, clock));
      else checkPartitions(found.identity, options.partitions);
    },
    weaknesses: async () => [{ setting: "durability", found: "memory", wanted: "kafka: or sqlite:" }],
    retentionMs: async () => Number.POSITIVE_INFINITY,
    producer: async () => memoryProducer(topic(), clock),
    reader: async () => memoryReader(topic()),
    async consumer(group) {
      const found = topic();
      const members = found.groups.get(group) ?? createMemoryGroup(found, clock);
      found.groups.set(group, members);
      return members.join();
    },
  };
}

/** The records from `from` on, as many as are handed over at once. */
export function keptRecords(topic: MemoryTopic, partition: number, from: bigint): readonly ReadRecord[] {
  const { start, records } = topic.kept[partition]!;
  const skipped = from > start ? Number(from - start) : 0;
  return takeBounded(records.slice(skipped, skipped + 1000));
}

/** Drops what lies before `start`, as retention would. */
export function forgetBefore(topic: MemoryTopic, partition: number, start: bigint): void {
  const kept = topic.kept[partition]!;
  kept.records.splice(0, Number(start - kept.start));
  kept.start = start;
}

function emptyTopic(options: MemoryLogOptions, clock: Clock): MemoryTopic {
  const partitions = options.partitions ?? 1;
  return {
    identity: { id: toHex(clock.random(16)), topic: options.topic, partitions },
    kept: Array.from({ length: partitions }, () => ({ start: 0n, records: [] })),
    bell: createBell(),
    groups: new Map(),
  };
}

function memoryProducer(topic: MemoryTopic, clock: Clock): LogProducer {
  let closed = false;
  return {
    identity: topic.identity,
    async publish(partition, record) {
      const bounds = { partitions: topic.identity.partitions, recordBytesMax, waitingBytes: 0 };
      const refusal = closed ? closedError() : refuseRecord(partition, record, bounds);
      if (refusal !== undefined) throw refusal;
      const { start, records } = topic.kept[partition]!;
      const offset = start + BigInt(records.length);
      records.push({ offset, time: clock.now(), value: record.slice() });
      topic.bell.ring();
    },
    async close() {
      closed = true;
    },
  };
}

function memoryReader(topic: MemoryTopic): LogReader {
  return {
    identity: topic.identity,
    async ranges() {
      return new Map(
        topic.kept.map(({ start, records }, partition) => [
          partition,
          { start, end: start + BigInt(records.length) },
        ]),
      );
    },
    async *read(partition, from, to) {
      for (let next = from; next < to; ) {
        const records = keptRecords(topic, partition, next).filter((record) => record.offset < to);
        yield* records;
        const last = records.at(-1);
        if (last === undefined) return;
        next = last.offset + 1n;
      }
    },
    async close() {},
  };
}
