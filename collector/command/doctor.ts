// What doctor says of the collector's two ports: the log and the claims.
import type { Finding } from "../../shared/command.ts";
import type { Log } from "../../shared/log/log.ts";
import type { ClaimStore } from "../claims/claims.ts";

/** Looks at the log: whether it answers, who it is, and every setting weaker than it should be. */
export async function examineLog(open: () => Promise<Log>): Promise<Finding[]> {
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
    return [{ name: "log", state: "ok", found, advice: "" }, ...weak];
  } catch (error) {
    return [unreachable("log", error, "check WEIR_LOG_URL; weir migrate makes the topic")];
  }
}

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
