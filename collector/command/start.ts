// A collector on the log and the claims that its settings name.
import type { Ends } from "../../shared/ending.ts";
import type { Log, LogIdentity } from "../../shared/log/log.ts";
import type { ClaimStore } from "../claims/claims.ts";
import { type RunningCollector, type StartCollector, startCollector } from "../main.ts";

/** Opens producer, claims and a reader for readiness, starts the collector, and enters how each is ended. */
export async function startCollectorOn(
  log: Log,
  openClaims: (identity: LogIdentity) => Promise<ClaimStore>,
  ends: Ends,
  start: Omit<StartCollector, "producer" | "claims" | "reachLog">,
): Promise<RunningCollector> {
  const producer = await log.producer();
  ends.push(() => producer.close());
  const claims = await openClaims(producer.identity);
  ends.push(() => claims.close());
  const reader = await log.reader();
  ends.push(() => reader.close());
  const collector = await startCollector({ ...start, producer, claims, reachLog: () => reader.ranges() });
  ends.push(() => collector.close());
  return collector;
}
