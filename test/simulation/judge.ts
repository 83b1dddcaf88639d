// What one transaction makes of records, decided by the aggregator's own pure rules and kept for the next asking.
import { type DecodedRecord, decodeRecord, isDecoded } from "../../aggregator/decode.ts";
import { judgeMoved } from "../../aggregator/moved.ts";
import { hashOf, judgeByStored, makePlan, type Plan } from "../../aggregator/plan.ts";
import { batchOf, noon, recordOf, type Sketch } from "../aggregator/records.ts";

/** One batch of the world: a copy of the one event all of them carry. */
export interface Copy {
  content: 0 | 1;
  /** Its time was moved at the edge, so its id is another than that of a copy with the client's time. */
  isMoved: boolean;
}

export const fate = { none: 0, stored: 1, duplicate: 2, conflict: 3, claimed: 4 } as const;

/** The two ids the event may be stored under: its own, and the one of a moved time. 0: no row, else content + 1. */
export type Rows = readonly [unmoved: number, moved: number];

/** Fates by record, and what is in the store afterwards. */
export interface Judgement {
  fates: readonly number[];
  rows: Rows;
  isKnownMoved: boolean;
}

export type Judge = (
  batches: readonly number[],
  /** What was seen when moved events were looked up, and what is there when rows are inserted. */
  seen: { rows: Rows; isKnownMoved: boolean },
  there: Rows,
) => Promise<Judgement>;

const moment = noon;
const movedMs = 3_600_000;

/** Makes the rules for these copies. */
export function createJudge(copies: readonly Copy[]): Judge {
  const decoded = copies.map(decodedOf);
  const known = new Map<string, Promise<Judgement>>();
  return (batches, seen, there) => {
    const key = `${batches}/${seen.rows}/${seen.isKnownMoved}/${there}`;
    const found = known.get(key) ?? judge(decoded, batches, seen, there);
    known.set(key, found);
    return found;
  };
}

async function judge(
  decoded: readonly DecodedRecord[],
  batches: readonly number[],
  seen: { rows: Rows; isKnownMoved: boolean },
  there: Rows,
): Promise<Judgement> {
  const plan = await makePlan(
    batches.map((batch) => decoded[batch]!),
    new Map(),
  );
  const anyone = plan.candidates[0];
  if (anyone === undefined) return { fates: [], rows: there, isKnownMoved: seen.isKnownMoved };
  const moved = seen.isKnownMoved ? new Map([[hashOf(anyone), movedKey]]) : new Map<string, string>();
  judgeMoved(plan, moved, storedOf(seen.rows));
  const enters = plan.kept.some((one) => one.isMoved && one.fate === "stored");
  const rows: [number, number] = [...there];
  const store = storedOf(there);
  for (const one of plan.kept) {
    if (one.fate !== "stored") continue;
    const found = store.get(one.key);
    if (found === undefined) rows[one.key === movedKey ? 1 : 0] = contentOf(one.decoded) + 1;
    else {
      one.stored = found;
      one.fate = "duplicate";
    }
  }
  judgeByStored(plan);
  return {
    fates: batches.map((batch) => fateOf(plan, decoded[batch]!)),
    rows,
    isKnownMoved: seen.isKnownMoved || enters,
  };
}

function fateOf(plan: Plan, decoded: DecodedRecord): number {
  const found = plan.candidates.find((one) => one.decoded === decoded);
  if (found?.fate === "stored") return fate.stored;
  return found?.fate === "conflict" ? fate.conflict : fate.duplicate;
}

const sketchOf = ({ content, isMoved }: Copy): Sketch => ({
  name: "the event",
  at: moment,
  content: `content ${content}`,
  ...(isMoved ? { movedTo: moment + movedMs } : {}),
});

function decodedOf(copy: Copy, batch: number): DecodedRecord {
  const id = new Uint8Array(16).fill(batch + 1);
  const value = recordOf([sketchOf(copy)], { id });
  const decoded = decodeRecord(0, { offset: 0n, time: noon, value });
  if (!isDecoded(decoded)) throw new Error(decoded.detail);
  return decoded;
}

const contentOf = ({ record }: DecodedRecord): number =>
  fingerprints.findIndex((one) => one.equals(Buffer.from(record.batch.fingerprints)));
const fingerprints = [0, 1].map((content) =>
  Buffer.from(batchOf([sketchOf({ content: content as 0 | 1, isMoved: false })]).fingerprints),
);
const keyOf = (isMoved: boolean): string =>
  Buffer.from(batchOf([sketchOf({ content: 0, isMoved })]).ids).toString("latin1");
const [unmovedKey, movedKey] = [keyOf(false), keyOf(true)];

function storedOf(rows: Rows): Map<string, Buffer> {
  const stored = new Map<string, Buffer>();
  if (rows[0] > 0) stored.set(unmovedKey, fingerprints[rows[0] - 1]!);
  if (rows[1] > 0) stored.set(movedKey, fingerprints[rows[1] - 1]!);
  return stored;
}
