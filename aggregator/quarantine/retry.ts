// Retries: open rows get a batch, the batch is sent, and the ledger says what became of it.
import type { Clock } from "../../shared/clock.ts";
import type { Meter } from "../../shared/meter.ts";
import type { Reenter } from "../../shared/wire/reentry.ts";
import type { Store } from "../store/store.ts";
import { claimRows, type RetryAsked } from "./claim.ts";
import { openIds, type RecordsAnswer, retryRecords } from "./records.ts";
import { type Resolved, type RetryOutcome, readResolved, resolveSent } from "./resolve.ts";
import { type QuarantineStatus, selected } from "./selection.ts";
import { sendBatch } from "./send.ts";

/** What became of a retry; `rows` says it one by one, up to 1,000 of them, the troubled ones first. */
export interface RetryAnswer {
  /** Every row asked for left the quarantine for good. */
  ok: boolean;
  /** Rows that were sent, or taken up where an earlier retry was cut short. */
  sent: number;
  stored: number;
  duplicate: number;
  quarantined: number;
  refused_again: number;
  /** Sent, and not in the ledger yet: the running aggregator resolves them. */
  pending: number;
  /** Conflicts that were passed over, since they come back only under an identity of their own. */
  needs_as_new: number;
  /** Records that were kept whole and are written now, or still cannot be read; `rows` says which. */
  records: { written: number; refused_again: number };
  /** Rows asked for by number that are not open: retried, discarded or gone. */
  not_open: string[];
  /** What stopped the sending, or null; what was not sent is taken up by the next retry. */
  error: string | null;
  rows: (Resolved | RecordsAnswer["rows"][number])[];
}

export interface RetryOptions {
  store: Store;
  /** Only events go this way; records that were kept whole are written where they are. */
  reenter: Reenter | undefined;
  clock: Clock;
  meter: Meter;
  /** How long to wait for the ledger. */
  waitMs: number;
  /** Rows at most; all that are meant without it. */
  rowsMax?: number;
}

const rowsShownMax = 1_000;
const pollMs = 100;

/** Retries what is asked for. Rejects only where the store does not answer. */
export async function retryRows(options: RetryOptions, asked: RetryAsked): Promise<RetryAnswer> {
  const { store } = options;
  const left = await leftOut(store, asked);
  const records = await retryRecords(options, asked);
  const batchIds = await unfinishedBatches(store, asked);
  let sent = await countBatches(store, batchIds);
  let error = await sendAll(options, batchIds);
  let after = "0";
  const rowsMax = options.rowsMax ?? Number.POSITIVE_INFINITY;
  while (error === undefined && sent < rowsMax) {
    const claimed = await claimRows(store, asked, after, options.clock.now());
    if (claimed.last === undefined) break;
    after = claimed.last;
    sent += claimed.events;
    batchIds.push(...claimed.batchIds);
    error = await sendAll(options, claimed.batchIds);
  }
  const resolved = await awaitResolved(options, batchIds);
  return answerOf(resolved, records, await countBatches(store, batchIds), left, error);
}

/** Batches of a retry that was cut short, whose rows are meant. */
async function unfinishedBatches(store: Store, { selection }: RetryAsked): Promise<string[]> {
  const rows = await store.sql`
    select distinct retry_batch_id
    from quarantine
    where ${selected(store.sql, selection)} and status in ('retrying', 'sent')`;
  return rows.map((row) => String(row["retry_batch_id"]));
}

async function countBatches(
  store: Store,
  batchIds: readonly string[],
  statuses: readonly QuarantineStatus[] = ["retrying", "sent"],
): Promise<number> {
  if (batchIds.length === 0) return 0;
  const [row] = await store.sql<[{ rows: number }]>`
    select count(*)::int as rows
    from quarantine
    where retry_batch_id = any(${[...batchIds]}::uuid[]) and status = any(${[...statuses]})`;
  return row.rows;
}

// The first batch that cannot be sent ends it: the next would fare no better.
async function sendAll(
  { store, reenter }: RetryOptions,
  batchIds: readonly string[],
): Promise<string | undefined> {
  for (const batchId of batchIds) {
    if (reenter === undefined) return "no collector is known here";
    try {
      await sendBatch(store, reenter, batchId);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
  return undefined;
}

// Somebody else may resolve them too, such as the running aggregator: what counts is what was noted.
async function awaitResolved(
  { store, clock, meter, waitMs }: RetryOptions,
  batchIds: readonly string[],
): ReturnType<typeof readResolved> {
  const until = clock.now() + waitMs;
  while ((await countBatches(store, batchIds, ["sent"])) > 0 && clock.now() < until) {
    const resolved = await resolveSent(store, clock.now(), batchIds);
    for (const { outcome } of resolved)
      meter.count("weir.aggregator.retries", 1, { "weir.outcome": outcome });
    if (resolved.length === 0) await clock.sleep(pollMs);
  }
  return await readResolved(store, batchIds, rowsShownMax);
}

interface LeftOut {
  needsAsNew: number;
  notOpen: string[];
}

async function leftOut(store: Store, { selection, asNew }: RetryAsked): Promise<LeftOut> {
  const [row] = await store.sql<[{ conflicts: number }]>`
    select count(*)::int as conflicts
    from quarantine
    where ${selected(store.sql, { ...selection, status: "open" })} and reason = 'conflict'`;
  const needsAsNew = asNew ? 0 : row.conflicts;
  if (selection.ids === undefined) return { needsAsNew, notOpen: [] };
  const records = await openIds(store, selection);
  const open = await store.sql`
    select quarantine_id
    from quarantine
    where ${selected(store.sql, selection)} and status in ('open', 'retrying', 'sent')`;
  const known = new Set([
    ...open.map((each) => String(each["quarantine_id"])),
    ...records.map((id) => `r${id}`),
  ]);
  return { needsAsNew, notOpen: selection.ids.filter((id) => !known.has(id)) };
}

function answerOf(
  { counts: found, rows }: Awaited<ReturnType<typeof readResolved>>,
  whole: RecordsAnswer,
  pending: number,
  left: LeftOut,
  error: string | undefined,
): RetryAnswer {
  const count = (outcome: RetryOutcome): number => found.get(outcome) ?? 0;
  const resolved = [...found.values()].reduce((sum, events) => sum + events, 0);
  const counts = {
    sent: resolved + pending + whole.sent,
    stored: count("stored") + whole.stored,
    duplicate: count("duplicate") + whole.duplicate,
    quarantined: count("quarantined") + whole.quarantined,
    refused_again: count("refused_again"),
    pending,
    needs_as_new: left.needsAsNew + whole.needs_as_new,
  };
  const written = whole.rows.filter(({ outcome }) => outcome === "written").length;
  const records = { written, refused_again: whole.rows.length - written };
  // What of a record is kept as an event now was never an event before; the record itself is written.
  const { refused_again, needs_as_new } = counts;
  const unfinished = refused_again + count("quarantined") + pending + needs_as_new + records.refused_again;
  const isWhole = unfinished + left.notOpen.length === 0;
  return {
    ok: isWhole && error === undefined,
    ...counts,
    records,
    not_open: left.notOpen,
    error: error ?? null,
    rows: [...whole.rows.slice(0, rowsShownMax), ...rows],
  };
}
