// Judges the ledger: what was left apart each time, and from time to time the sums that need no recount of rows.
import { z } from "zod";
import { ledgerDays } from "../../shared/limits.ts";
import { readPositions } from "../fence.ts";
import { runChecks } from "../ledger/checks.ts";
import { withAcknowledgements } from "../ledger/entries.ts";
import { readInFlight } from "../ledger/in-flight.ts";
import { missedReceipts } from "../ledger/lost.ts";
import { leftApart } from "../read/ledger.ts";
import type { Looked, Measured } from "./measure.ts";

/** Invariants over batches and positions; those over all rows are left to a proof that somebody asks for. */
const sums: ReadonlySet<string> = new Set(["equation", "offsets", "quarantine", "quarantine_retried"]);
const sumsEveryMs = 10 * 60_000;
/** Records of the log that are read to know which are only on their way; behind more of them nothing is called lost. */
const inFlightMax = 500n;

const kept = z.object({ summedAt: z.number(), amiss: z.array(z.string()) });

/** The value is how many things are amiss. */
export async function judgeLedger(looked: Looked): Promise<Measured> {
  const { tx, now, memo, reader } = looked;
  const apart = await leftApart(tx, reader.identity);
  const last = kept.safeParse(memo);
  const isDue = !last.success || now - last.data.summedAt >= sumsEveryMs;
  const found = isDue ? { summedAt: now, amiss: await sumUp(looked) } : last.data;
  const amiss = [...apart, ...found.amiss];
  const detail = amiss.length === 0 ? "the ledger closes" : amiss.join("; ");
  return { verdict: amiss.length === 0 ? "good" : "bad", value: amiss.length, detail, memo: found };
}

async function sumUp(looked: Looked): Promise<string[]> {
  const broken = (await runChecks(looked.tx, sums)).filter(({ ok }) => !ok);
  return [...broken.map(({ name }) => `the check ${name} finds rows`), ...(await lostRecords(looked))];
}

/** Records that a collector numbered and that are nowhere, unless acknowledged; a sentence each. */
async function lostRecords({ tx, reader }: Looked): Promise<string[]> {
  const positions = await readPositions(tx, reader.identity);
  const ranges = await reader.ranges().catch(() => undefined);
  if (ranges === undefined) return [];
  let waiting = 0n;
  for (const [partition, { end }] of ranges) waiting += end - (positions.get(partition)?.nextOffset ?? 0n);
  if (waiting > inFlightMax) return [];
  const inFlight = await readInFlight(reader, positions).catch(() => undefined);
  if (inFlight === undefined) return [];
  const missed = await withAcknowledgements(tx, await missedReceipts(tx, inFlight.receipts, ledgerDays));
  return missed
    .filter(({ kind, acknowledged }) => kind === "numbers" && acknowledged === null)
    .map(({ what }) => what);
}
