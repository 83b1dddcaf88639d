// What doctor says of the collector's two ports: the log and the claims.
import type { Finding } from "../../shared/command.ts";
import { batchAgeMs } from "../../shared/limits.ts";
import type { Log } from "../../shared/log/log.ts";
import type { ClaimStore } from "../claims/claims.ts";

/**
 * Looks at the log: whether it answers, who it is, every setting weaker than it should be, and whether a batch's
 * id is known for long enough, which is `ledgerDays`.
 */
export async function examineLog(open: () => Promise<Log>, ledgerDays: number): Promise<Finding[]> {
  try {
    const log = await open();
    const reader = await log.reader();
    const { topic, partitions, id } = reader.identity;
    await reader.close();
    const weak = (await log.weaknesses()).map((weakness): Finding => {
      const advice = `set ${weakness.setting} to ${weakness.wanted}`;
      return { name: `log ${weakness.setting}`, state: "weak", found: weakness.found, advice };
    });
    const found = `${log.label}, topic ${topic}, ${partitions} partitions, id ${id}`;
    const days = examineDays(ledgerDays, await log.retentionMs());
    return [{ name: "log", state: "ok", found, advice: "" }, ...weak, days];
  } catch (error) {
    return [unreachable("log", error, "check WEIR_LOG_URL; weir migrate makes the topic")];
  }
}

// A copy of a batch may lie in the log, and before that in a spool, in an edge's buffer or with whoever sends again.
function examineDays(ledgerDays: number, retentionMs: number | undefined): Finding {
  const name = "ledger days";
  const held = `batches may be held back for ${daysOf(batchAgeMs)}`;
  if (retentionMs === undefined) {
    const advice = "its retention is hidden; WEIR_LEDGER_DAYS must be longer than both together";
    return { name, state: "weak", found: `${ledgerDays}; ${held} days`, advice };
  }
  if (retentionMs === Number.POSITIVE_INFINITY) {
    const advice = "records read again after so many days are kept apart; give the topic a retention.ms";
    return { name, state: "weak", found: `${ledgerDays}; the log keeps records for ever`, advice };
  }
  const least = Math.ceil(daysOf(retentionMs + batchAgeMs));
  const found = `${ledgerDays}; the log keeps records for ${daysOf(retentionMs)} days, and ${held} days`;
  if (ledgerDays >= least) return { name, state: "ok", found, advice: "" };
  return { name, state: "bad", found, advice: `set WEIR_LEDGER_DAYS to ${least} or more` };
}

const daysOf = (ms: number): number => Math.round(ms / 8_640_000) / 10;

/** Looks at the claims: whether they answer, and whether they would forget keys under pressure. */
export async function examineClaims(open: () => Promise<ClaimStore>): Promise<Finding[]> {
  try {
    const claims = await open();
    const health = await claims.health();
    await claims.close();
    const finding: Finding = { name: "claims", state: "ok", found: health.detail, advice: "" };
    if (health.evicts === undefined)
      return [
        { ...finding, state: "weak", advice: "its eviction policy is hidden; make sure it is noeviction" },
      ];
    if (health.evicts) return [{ ...finding, state: "bad", advice: "set maxmemory-policy to noeviction" }];
    return [finding];
  } catch (error) {
    return [
      unreachable(
        "claims",
        error,
        "check WEIR_CLAIMS_URL; events are taken without claims, and told apart at the store",
      ),
    ];
  }
}

function unreachable(name: string, error: unknown, advice: string): Finding {
  return { name, state: "bad", found: error instanceof Error ? error.message : String(error), advice };
}
