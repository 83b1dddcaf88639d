// Judges the ledger: what was left apart each time, and from time to time the sums that need no recount of rows.
import { z } from "zod";
import { runChecks } from "../ledger/checks.ts";
import { leftApart } from "../read/ledger.ts";
import type { Looked, Measured } from "./measure.ts";

/** Invariants over batches and positions; those over all rows are left to a proof that somebody asks for. */
const sums: ReadonlySet<string> = new Set(["equation", "offsets", "quarantine", "quarantine_retried"]);
const sumsEveryMs = 10 * 60_000;

const kept = z.object({ summedAt: z.number(), broken: z.array(z.string()) });

/** The value is how many things are amiss. */
export async function judgeLedger({ tx, now, memo, reader }: Looked): Promise<Measured> {
  const apart = await leftApart(tx, reader.identity);
  const last = kept.safeParse(memo);
  const isDue = !last.success || now - last.data.summedAt >= sumsEveryMs;
  const found = isDue ? { summedAt: now, broken: await brokenSums(tx) } : last.data;
  const amiss = [...apart, ...found.broken.map((name) => `the check ${name} finds rows`)];
  const detail = amiss.length === 0 ? "the ledger closes" : amiss.join("; ").slice(0, 1_000);
  return { verdict: amiss.length === 0 ? "good" : "bad", value: amiss.length, detail, memo: found };
}

async function brokenSums(tx: Looked["tx"]): Promise<string[]> {
  const answers = await runChecks(tx, sums);
  return answers.filter(({ ok }) => !ok).map(({ name }) => name);
}
