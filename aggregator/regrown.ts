// Where a log parts from what was read of it: it was cut off there, and has grown again since.
import type { LogReader, ReadRecord } from "../shared/log/log.ts";
import { decodeRecord, isDecoded, markOf } from "./decode.ts";
import type { Span } from "./fence.ts";
import { withReader } from "./outside.ts";
import type { Writer } from "./write.ts";

/** Records looked at together. As many known ones in a row are taken for the part that was never cut off. */
const stepRecords = 1_000n;

interface Seen {
  offset: bigint;
  mark: string;
  /** Undefined for a record that cannot be read: it may have been read before or not, so it is read again. */
  batch: { id: string; digest: string } | undefined;
}

/** A place in a partition, and the mark of the record before it. */
type Parting = Required<Pick<Span, "to" | "last">>;

/**
 * From a position back to the first record that was never read, where its log holds another record before
 * the position, or ends at `to`. It goes back one record at least: there is another one for certain, even
 * if only a copy of a known one.
 */
export async function spanBack(
  openReader: () => Promise<LogReader>,
  digests: Writer["digests"],
  { partition, from, to }: Span,
): Promise<Span> {
  return await withReader(openReader, async (reader) => {
    const start = (await reader.ranges()).get(partition)?.start ?? to;
    const parting = await findParting(reader, digests, partition, start, to);
    return { partition, from, ...(parting.to < from ? parting : { to: from - 1n, last: undefined }) };
  });
}

// The first offset below `top` whose batch the ledger does not have, or `top`. Only such records are to be
// read: a copy of a known batch changes nothing, wherever it lies. Goes back as far as there are unknown
// ones, step by step, since single known ones may lie between them.
async function findParting(
  reader: LogReader,
  digests: Writer["digests"],
  partition: number,
  start: bigint,
  top: bigint,
): Promise<Parting> {
  let found: Parting = { to: top, last: undefined };
  for (let to = top; to > start; ) {
    const from = to - stepRecords > start ? to - stepRecords : start;
    const seen: Seen[] = [];
    for await (const record of reader.read(partition, from, to)) seen.push(seenOf(partition, record));
    const known = await digests(seen.flatMap(({ batch }) => batch?.id ?? []));
    const at = seen.findIndex(({ batch }) => batch === undefined || known.get(batch.id) !== batch.digest);
    if (at === -1) return { to: found.to, last: found.last ?? seen.at(-1)?.mark };
    found = { to: seen[at]!.offset, last: seen[at - 1]?.mark };
    to = from;
  }
  return found;
}

function seenOf(partition: number, record: ReadRecord): Seen {
  const decoded = decodeRecord(partition, record);
  const batch = isDecoded(decoded) ? { id: decoded.batchId, digest: decoded.digest } : undefined;
  return { offset: record.offset, mark: markOf(record), batch };
}
