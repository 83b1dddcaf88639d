// What the sending commands ask of the store and the log: outcomes of their batches, rows of their events.
import type { Log } from "../../shared/log/log.ts";
import { type BatchOutcomes, countStoredEvents, outcomesOfBatches } from "../ledger/outcomes.ts";
import { type ReconcileAnswer, reconcile } from "../ledger/reconcile.ts";
import { type ProofConfig, proofSettings } from "../ledger/spools.ts";
import type { Store } from "../store/store.ts";

export interface Accounts {
  /** The log's own id, which an import's checkpoint names. */
  logId: string;
  outcomesOf(batchIds: readonly Uint8Array[]): Promise<BatchOutcomes>;
  countStored(lots: Iterable<readonly string[]>): Promise<{ ids: number; rows: number }>;
  reconcile(): Promise<ReconcileAnswer>;
  close(): Promise<void>;
}

/** Opens the accounts of one project; closing them leaves store and log as they were. */
export async function openAccounts(
  store: Store,
  log: Log,
  project: string,
  config: ProofConfig,
): Promise<Accounts> {
  const reader = await log.reader();
  return {
    logId: reader.identity.id,
    outcomesOf: (batchIds) => outcomesOfBatches(store, batchIds),
    countStored: (lots) => countStoredEvents(store, project, lots),
    reconcile: () => reconcile({ store, reader, ...proofSettings(config) }),
    close: () => reader.close(),
  };
}
