// Cuts a log into the transactions of the live store, in the order that store began them.
import { writeBytesMax, writeEventsMax } from "../../shared/limits.ts";
import type { LogReader, ReadRecord } from "../../shared/log/log.ts";
import type { Slice } from "../decode.ts";
import { type Run, runAt, type Timeline } from "./timeline.ts";

/** What is written in one transaction; each partition at most once, unless no event in it has a copy. */
export interface Step {
  slices: Slice[];
  /** When the live store's transaction began, epoch µs; undefined where it never wrote these records. */
  time: bigint | undefined;
  hasCopies: boolean;
}

/** From where to where each partition is read; `to` is not among it. */
export type Spans = ReadonlyMap<number, { from: bigint; to: bigint }>;

/** Records of one step that the live store does not know. */
const unknownRecordsMax = 100;

/** One partition, read ahead by one record. */
interface Lane {
  partition: number;
  runs: readonly Run[];
  records: AsyncIterator<ReadRecord>;
  head: ReadRecord | undefined;
}

/**
 * Reads the spans beside the log's owners. Records the live store wrote come in its order; what it never
 * wrote comes after, in the order the log took it. Steps without copies are put together while
 * `isOrdered` says that nothing waits for another.
 */
export async function* readSteps(
  reader: LogReader,
  spans: Spans,
  timeline: Timeline,
  isOrdered: () => boolean,
): AsyncIterable<Step> {
  const lanes = await Promise.all(
    [...spans].map(async ([partition, { from, to }]): Promise<Lane> => {
      const records = reader.read(partition, from, to)[Symbol.asyncIterator]();
      const lane = { partition, runs: timeline.get(partition) ?? [], records, head: undefined };
      await advance(lane);
      return lane;
    }),
  );
  try {
    for (;;) {
      const step = await next(lanes, isOrdered());
      if (step === undefined) return;
      yield step;
    }
  } finally {
    await Promise.all(lanes.map((lane) => lane.records.return?.()));
  }
}

async function next(lanes: readonly Lane[], mayJoin: boolean): Promise<Step | undefined> {
  const step: Step = { slices: [], time: undefined, hasCopies: false };
  let [events, bytes] = [0, 0];
  for (;;) {
    const group = earliest(lanes);
    if (group.length === 0) break;
    const runs = group.flatMap((lane) => runOf(lane) ?? []);
    const more = runs.reduce((sum, run) => sum + run.events, 0);
    // Where nothing had a copy the order tells nothing, and larger transactions are cheaper.
    const isAlone = runs.length === 0 || runs.some((run) => run.hasCopies);
    const isFull = events + more > writeEventsMax || bytes > writeBytesMax;
    if (step.slices.length > 0 && (isAlone || isFull || group.some((lane) => isBehindHole(step, lane))))
      break;
    step.time = runs[0]?.time;
    step.hasCopies = isAlone;
    for (const lane of group) {
      const slice = await takeRun(lane);
      bytes += slice.records.reduce((sum, record) => sum + record.value.length, 0);
      join(step.slices, slice);
    }
    events += more;
    if (isAlone || !mayJoin) break;
  }
  return step.slices.length === 0 ? undefined : step;
}

// The lanes whose next records the live store wrote first, together; else the one the log took first.
function earliest(lanes: readonly Lane[]): Lane[] {
  const open = lanes.filter((lane) => lane.head !== undefined);
  const [first] = open.flatMap((lane) => runOf(lane)?.time ?? []).sort((one, two) => Number(one - two));
  if (first !== undefined) return open.filter((lane) => runOf(lane)?.time === first);
  open.sort((left, right) => left.head!.time - right.head!.time || left.partition - right.partition);
  return open.slice(0, 1);
}

const runOf = ({ runs, head }: Lane): Run | undefined =>
  head === undefined ? undefined : runAt(runs, head.offset);

// All records of the run, or some that follow one another and are in none.
async function takeRun(lane: Lane): Promise<Slice> {
  const run = runOf(lane);
  const records: ReadRecord[] = [];
  while (lane.head !== undefined) {
    const { offset } = lane.head;
    const isNext = records.length === 0 || offset === records.at(-1)!.offset + 1n;
    const isFull = run === undefined && records.length === unknownRecordsMax;
    if (!isNext || isFull || runOf(lane) !== run) break;
    records.push(lane.head);
    await advance(lane);
  }
  return { partition: lane.partition, records };
}

function join(slices: Slice[], more: Slice): void {
  const at = slices.findIndex((slice) => slice.partition === more.partition);
  if (at === -1) slices.push(more);
  else slices[at] = { ...more, records: [...slices[at]!.records, ...more.records] };
}

function isBehindHole({ slices }: Step, { partition, head }: Lane): boolean {
  const before = slices.find((slice) => slice.partition === partition)?.records.at(-1);
  return before !== undefined && before.offset + 1n !== head?.offset;
}

async function advance(lane: Lane): Promise<void> {
  const { done, value } = await lane.records.next();
  lane.head = done === true ? undefined : value;
}
