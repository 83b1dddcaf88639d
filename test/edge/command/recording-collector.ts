// A collector, log and ledger in memory: takes batches as the real ones do, and can be made to fail.

import { type LedgerOutcomes, noOutcomes } from "../../../edge/command/import-outcomes.ts";
import { toHex } from "../../../shared/event/bytes.ts";
import { WeirError } from "../../../shared/problem.ts";
import { type Batch, type CollectorPort, outcome } from "../../../shared/wire/batch.ts";

export interface RecordingCollector extends CollectorPort {
  /** Distinct batches by id. */
  readonly batches: ReadonlyMap<string, Batch>;
  /** Batches that came again under their id. */
  readonly resent: number;
  outcomesOf(batchIds: readonly Uint8Array[]): Promise<LedgerOutcomes>;
}

/** `fate` says of each call, numbered from 0, what happens: taken and told, taken in silence, or refused. */
export function recordingCollector(
  fate: (call: number) => "told" | "silent" | "refused" = () => "told",
): RecordingCollector {
  const batches = new Map<string, Batch>();
  const ledger = new Map<string, LedgerOutcomes>();
  const known = new Set<string>();
  let calls = 0;
  let resent = 0;

  function take(batch: Batch): void {
    const id = toHex(batch.batchId);
    const before = batches.get(id);
    if (before !== undefined) {
      resent += 1;
      // What the store calls another batch under a used id, and sets apart.
      if (digest(before) !== digest(batch)) throw new Error(`batch ${id} came again with other events`);
      return;
    }
    batches.set(id, batch);
    const row = { ...noOutcomes(), known: 1, received: batch.count };
    const refused = new Set(batch.refusals.map((refusal) => refusal.index));
    for (let index = 0; index < batch.count; index += 1) {
      const hash = toHex(batch.hashes.subarray(index * 16, index * 16 + 16));
      // A refused event is known beside its identity by its content, and never stands in a stored one's way.
      const key = refused.has(index)
        ? `${hash}:${toHex(batch.fingerprints.subarray(index * 8, index * 8 + 8))}`
        : hash;
      if (known.has(key)) row.duplicate += 1;
      else if (refused.has(index)) row.quarantined += 1;
      else row.stored += 1;
      known.add(key);
    }
    ledger.set(id, row);
  }

  return {
    batches,
    get resent() {
      return resent;
    },
    async send(batch) {
      const call = calls;
      calls += 1;
      await new Promise((resolve) => setImmediate(resolve));
      const happens = fate(call);
      if (happens !== "refused") take(batch);
      if (happens !== "told") throw new WeirError("log_unavailable", "Nobody answers.", { retryAfterMs: 1 });
      return { batchId: batch.batchId, outcomes: new Uint8Array(batch.count).fill(outcome.published) };
    },
    ready: () => Promise.resolve(),
    close: () => Promise.resolve(),
    async outcomesOf(batchIds) {
      const sums = noOutcomes();
      for (const id of batchIds) {
        const row = ledger.get(toHex(id));
        for (const name of Object.keys(sums) as (keyof LedgerOutcomes)[]) sums[name] += row?.[name] ?? 0;
      }
      return sums;
    },
  };
}

const digest = (batch: Batch): string =>
  [batch.project, batch.count, toHex(batch.hashes), toHex(batch.fingerprints), batch.receivedAt].join(":");
