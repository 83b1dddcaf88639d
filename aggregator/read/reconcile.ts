// The proof behind the conservation line, asked for by a person: everything is counted anew.
import { z } from "zod";
import type { LogReader } from "../../shared/log/log.ts";
import { reconcile } from "../ledger/reconcile.ts";
import type { ProofSettings } from "../ledger/spools.ts";
import type { Store } from "../store/store.ts";
import { type Answer, asProblem, iso } from "./answer.ts";

/** It takes none: a proof of a part would be none. */
export const reconcileParameters = z.strictObject({});

const count = z.int().min(0);

export const reconcileRow = z.object({
  ok: z.boolean().describe("Nothing is lost, unaccounted for or unreadable, and every check holds"),
  received: count,
  stored: count,
  duplicate: count,
  quarantined: count,
  expired: count,
  erased: count,
  in_flight: count,
  lost: count.describe("Records, not events: how many events they held nobody knows"),
  unaccounted: z.string().nullable().describe("Where records may be missing and nobody knows how many"),
  unreadable: count,
  reused: count.describe("Records under another batch's id, kept whole"),
  too_old: count.describe("Records kept whole, since they came too late to be told from counted ones"),
  acknowledged: count.describe("Entries that somebody has acknowledged: counted, and no fault any more"),
  weak: count,
  rows_present: count.describe("Rows counted in the events table"),
  checks: count.describe("Invariants that were checked"),
  broken: z.string().nullable().describe("Names of those that do not hold"),
});

/** Takes as long as counting all rows takes, since it has no other bound; who asks meanwhile shares it. */
export async function askReconcile(
  store: Store,
  reader: LogReader,
  proof?: ProofSettings,
  signal?: AbortSignal,
): Promise<Answer> {
  const as_of = iso(Date.now());
  try {
    const answer = await reconcile({ store, reader, ...proof, signal });
    const {
      checks,
      partitions: _,
      groups: __,
      reports: ____,
      unreadable_spools: ___,
      unaccounted,
      entries,
      ...counts
    } = answer;
    const broken = checks.filter((check) => !check.ok).map((check) => check.name);
    const acknowledged = entries.filter((entry) => entry.acknowledged !== null).length;
    const missing = unaccounted.join("; ") || null;
    const row = {
      ...counts,
      unaccounted: missing,
      checks: checks.length,
      acknowledged,
      broken: broken.join(", ") || null,
    };
    return { data: [row], meta: { from: null, to: null, as_of, watermark: null } };
  } catch (error) {
    throw asProblem(error);
  }
}
