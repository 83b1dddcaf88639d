// `weir load verify`: what a load's log proves, compared with what the store holds.
import type { Clock } from "../../shared/clock.ts";
import { fromUuid } from "../../shared/event/bytes.ts";
import { awaitOutcomes, type LedgerOutcomes, type OutcomesOf } from "./import-outcomes.ts";
import { type Account, countEvents, eventIds, eventState, readAccount } from "./load/account.ts";

/** Rows of `events` with one of the ids, and how many of the ids have one. */
export interface StoredCount {
  ids: number;
  rows: number;
}

export interface VerifyDeps {
  /** Counts by the client's own id, in the load's project; the ids come in lots of 10,000, none twice. */
  countStored(eventIds: Iterable<readonly string[]>): Promise<StoredCount>;
  outcomesOf: OutcomesOf;
  reconcile(): Promise<{ ok: boolean }>;
  clock: Clock;
}

export interface VerifyResult {
  /** Events of which none was made bad, each id once, and of them those acknowledged. */
  distinct_sent: number;
  acked: number;
  /** Of the ids sent, those with a row. */
  stored: number;
  /** Acknowledged and not stored. */
  missing: number;
  /** Rows beyond the first of their id, and rows of bad events. */
  extra: number;
  /** Instances acknowledged beyond each event's first. */
  copies_sent: number;
  /** Instances in attempts that ended without an answer: they may have become copies. */
  copies_possible: number;
  /** From the ledger of the load's batches. */
  duplicate: number;
  bad_sent: number;
  quarantined: number;
  reconcile_ok: boolean;
  /** What does not hold, in words. */
  mismatches: string[];
  ok: boolean;
}

const idsAtOnce = 10_000;
const batchesAtOnce = 500;

/** Waits until every acknowledged batch is in the ledger, then compares. Rejects with a MisuseError. */
export async function verifyLoad(file: string, deps: VerifyDeps): Promise<VerifyResult> {
  const account = await readAccount(file);
  const ledger = await awaitOutcomes(batchLots(account), deps.outcomesOf, deps.clock);
  const { acked, bad } = eventState;
  const goodAcked = await deps.countStored(eventIds(account, acked, bad, idsAtOnce));
  const goodOpen = await deps.countStored(eventIds(account, 0, bad | acked, idsAtOnce));
  const spoilt = await deps.countStored(eventIds(account, bad, 0, idsAtOnce));
  const reconciled = await deps.reconcile();
  const counts = {
    distinct_sent: countEvents(account, 0, bad),
    acked: countEvents(account, acked, bad),
    stored: goodAcked.ids + goodOpen.ids,
    extra: goodAcked.rows - goodAcked.ids + goodOpen.rows - goodOpen.ids + spoilt.rows,
    copies_sent: account.acked - countEvents(account, acked, 0),
    copies_possible: account.doubtful,
    duplicate: ledger.duplicate,
    bad_sent: countEvents(account, bad, 0),
    quarantined: ledger.quarantined,
    reconcile_ok: reconciled.ok,
  };
  const missing = counts.acked - goodAcked.ids;
  const mismatches = [
    ...(missing > 0 ? [`${missing} acknowledged events are not stored`] : []),
    ...(counts.extra > 0 ? [`${counts.extra} rows too many`] : []),
    ...(reconciled.ok ? [] : ["reconcile does not close"]),
    ...compareLedger(account, ledger),
  ];
  return { ...counts, missing, mismatches, ok: mismatches.length === 0 };
}

/**
 * The ledger of the acknowledged batches must hold exactly what the requests held. An attempt without an
 * answer loosens that by its own events and no more: it may have been taken in a batch we do not know,
 * and so have had the first copy of an event, or have shared a batch that we do know.
 */
function compareLedger(account: Account, ledger: LedgerOutcomes): string[] {
  const { acked, bad, doubtful } = eventState;
  const good = bounds(account, 0, bad);
  const spoilt = bounds(account, bad, 0);
  const received = { least: account.acked, most: account.acked + account.doubtful };
  const duplicate = {
    least: Math.max(0, received.least - good.most - spoilt.most),
    most: received.most - good.least - spoilt.least,
  };
  const faults: string[] = [];
  const check = (name: string, found: number, { least, most }: Bounds): void => {
    if (found >= least && found <= most) return;
    const wanted = least === most ? `${least}` : `${least} to ${most}`;
    faults.push(`the ledger of the load's batches counts ${found} ${name}, where ${wanted} were to be`);
  };
  check("received", ledger.received, received);
  check("stored", ledger.stored, good);
  check("quarantined", ledger.quarantined, spoilt);
  check("duplicate", ledger.duplicate, duplicate);
  check("expired or erased", ledger.expired + ledger.erased, { least: 0, most: 0 });
  return faults;

  function bounds(of: Account, has: number, lacks: number): Bounds {
    const certain = countEvents(of, has | acked, lacks);
    return {
      least: certain - countEvents(of, has | acked | doubtful, lacks),
      most: certain + countEvents(of, has | doubtful, lacks | acked),
    };
  }
}

interface Bounds {
  least: number;
  most: number;
}

function* batchLots(account: Account): Generator<Uint8Array[]> {
  let ids: Uint8Array[] = [];
  for (const batch of account.batches) {
    ids.push(fromUuid(batch));
    if (ids.length < batchesAtOnce) continue;
    yield ids;
    ids = [];
  }
  if (ids.length > 0) yield ids;
}

/** The result for a person. */
export function verifyText(result: VerifyResult): string {
  const { distinct_sent, acked, stored, missing, extra, duplicate, copies_sent, copies_possible } = result;
  const possible = copies_possible === 0 ? "" : ` (and up to ${copies_possible} sent without an answer)`;
  return [
    `sent ${distinct_sent} events, acked ${acked}, stored ${stored}, missing ${missing}, extra ${extra}`,
    `copies sent ${copies_sent}${possible}, duplicate ${duplicate}; bad sent ${result.bad_sent}, quarantined ${result.quarantined}`,
    result.ok ? "exactly once: every event is accounted for" : result.mismatches.join("\n"),
  ].join("\n");
}
