// Whether questions can be answered now: the store and the log are asked, each with a deadline.
import type { Sql } from "postgres";
import type { LogReader } from "../../shared/log/log.ts";
import { WeirError } from "../../shared/problem.ts";
import { withDeadline } from "../store/errors.ts";

/** A check that takes longer has failed: who balances load asks every few seconds. */
const checkMs = 2_000;

/** Rejects with `not_ready` and every reason there is. */
export async function checkReady(sql: Sql, reader: LogReader, ready: () => Promise<unknown>): Promise<void> {
  const checks: [string, () => Promise<unknown>][] = [
    ["the store does not answer", async () => sql`select 1 from events limit 1`],
    ["the log does not answer", () => reader.ranges()],
    ["", ready],
  ];
  const reasons = await Promise.all(checks.map(([reason, check]) => reasonOf(reason, check)));
  const failed = reasons.filter((reason) => reason !== undefined);
  if (failed.length > 0) throw new WeirError("not_ready", `${failed.join("; ")}.`);
}

// Only a reason that one of ours gave is told: a driver's error may name hosts and users.
async function reasonOf(reason: string, check: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await withDeadline("the check", checkMs, check());
    return undefined;
  } catch (error) {
    if (reason !== "") return reason;
    return error instanceof WeirError ? error.message : "a part of this process is not ready";
  }
}
