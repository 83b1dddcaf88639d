// Builds a store anew from its log, by the writer itself, in the order in which the live store wrote.
import type { TransactionSql } from "postgres";
import type { Clock } from "../../shared/clock.ts";
import type { LogReader } from "../../shared/log/log.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { decodeSlice } from "../decode.ts";
import { readPositions, type Span } from "../fence.ts";
import type { Store } from "../store/store.ts";
import { createWriter, type Writer } from "../write.ts";
import { guide } from "./guide.ts";
import { readSteps, type Spans, type Step } from "./steps.ts";
import { readTimeline } from "./timeline.ts";

export interface RebuildOptions {
  reader: LogReader;
  into: Store;
  /** The store whose order is followed, and up to whose positions the log is read; without one up to its end. */
  live: TransactionSql | undefined;
  clock: Clock;
  /** Told after every transaction. */
  written(records: number): void;
}

/** What was read, and which offsets the log has no more. */
export interface Rebuilt {
  records: number;
  missing: Span[];
}

/** Goes on where `into` stands, so that whoever was stopped in the middle begins again. */
export async function rebuild(options: RebuildOptions): Promise<Rebuilt> {
  const { reader, into, live, clock } = options;
  const { identity } = reader;
  const quiet = { meter: silentMeter, logger: silentLogger };
  const writer = await createWriter({ store: into, identity, clock, ...quiet });
  try {
    const all = Array.from({ length: identity.partitions }, (_, partition) => partition);
    const positions = await writer.take(all);
    const spans = await spansOf(reader, live, positions);
    const timeline = live === undefined ? new Map() : await readTimeline(live, identity);
    const write = createWriting(options, writer, positions);
    for await (const step of readSteps(reader, spans, timeline, write.isOrdered)) await write.add(step);
    await write.end();
    // What the log has no more at its end.
    for (const [partition, { to }] of spans) await write.passHole(partition, to);
    return write.rebuilt;
  } finally {
    await writer.close();
  }
}

async function spansOf(
  reader: LogReader,
  live: TransactionSql | undefined,
  positions: ReadonlyMap<number, bigint>,
): Promise<Spans> {
  const ranges = await reader.ranges();
  const wanted = live === undefined ? undefined : await readPositions(live, reader.identity);
  const spans = [...positions].map(([partition, from]) => {
    const to = wanted === undefined ? ranges.get(partition)?.end : wanted.get(partition)?.nextOffset;
    return [partition, { from, to: to ?? from }] as const;
  });
  return new Map(spans);
}

interface Writing {
  rebuilt: Rebuilt;
  /** Whether every step so far is written, none waiting for another. */
  isOrdered(): boolean;
  add(step: Step): Promise<void>;
  passHole(partition: number, to: bigint): Promise<void>;
  end(): Promise<void>;
}

function createWriting(options: RebuildOptions, writer: Writer, positions: Map<number, bigint>): Writing {
  const rebuilt: Rebuilt = { records: 0, missing: [] };
  // Steps that wait for one which began later and yet stored first; what follows in their partitions waits too.
  let held: { step: Step; after: bigint }[] = [];

  const passHole = async (partition: number, to: bigint): Promise<void> => {
    const from = positions.get(partition) ?? 0n;
    if (from >= to) return;
    await writer.skip({ partition, from, to });
    rebuilt.missing.push({ partition, from, to });
    positions.set(partition, to);
  };

  // Answers what it must wait for, where that is not behind `now` yet; without a `now` nothing waits.
  const write = async ({ slices, time, hasCopies }: Step, now: bigint | undefined) => {
    let decoded = slices.map(decodeSlice);
    if (options.live !== undefined && hasCopies && time !== undefined) {
      const guidance = await guide(options.live, decoded, time);
      if (now !== undefined && guidance.after !== undefined && guidance.after >= now) return guidance.after;
      decoded = guidance.slices;
    }
    for (const { partition, from } of decoded) await passHole(partition, from);
    await writer.commit(await writer.prepare(decoded));
    for (const { partition, to } of decoded) positions.set(partition, to);
    const records = decoded.reduce((sum, slice) => sum + slice.records.length, 0);
    rebuilt.records += records;
    options.written(records);
    return undefined;
  };

  const add = async (step: Step, now: bigint | undefined): Promise<void> => {
    const partitions = step.slices.map((slice) => slice.partition);
    const before = held.filter((one) => one.step.slices.some((each) => partitions.includes(each.partition)));
    const waits = before.reduce<bigint | undefined>((last, { after }) => maxOf(last, after), undefined);
    const after = waits ?? (await write(step, now));
    if (after !== undefined) held.push({ step, after });
  };

  // Everything that waited for a transaction now behind us, in the order it came.
  const release = async (time: bigint | undefined): Promise<void> => {
    if (held.length === 0) return;
    const waiting = held;
    held = [];
    for (const one of waiting) {
      if (time !== undefined && one.after >= time) held.push(one);
      else await add(one.step, time);
    }
  };

  return {
    rebuilt,
    isOrdered: () => held.length === 0,
    async add(step) {
      await release(step.time);
      await add(step, step.time);
    },
    passHole,
    end: () => release(undefined),
  };
}

const maxOf = (left: bigint | undefined, right: bigint): bigint =>
  left === undefined || right > left ? right : left;
