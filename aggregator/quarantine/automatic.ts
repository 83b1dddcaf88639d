// Rounds over the quarantine by the running aggregators: what was sent is resolved, what was cut short is sent,
// what may pass by itself is tried again, and what is too old is removed.
import type { Clock } from "../../shared/clock.ts";
import { batchAgeMs } from "../../shared/limits.ts";
import type { Logger } from "../../shared/logger.ts";
import type { Meter } from "../../shared/meter.ts";
import type { Reenter } from "../../shared/wire/reentry.ts";
import { errorText } from "../store/errors.ts";
import type { Store } from "../store/store.ts";
import { claimRows } from "./claim.ts";
import { scheduleRetries } from "./due.ts";
import { expireRows } from "./expire.ts";
import { resolveSent } from "./resolve.ts";
import { sendBatch } from "./send.ts";

export interface AutomaticOptions {
  store: Store;
  /** Without it nothing is sent from here. */
  reenter: Reenter | undefined;
  clock: Clock;
  meter: Meter;
  logger: Logger;
  /** How long a row is kept, in days. */
  days: number;
}

/** What one round did, in rows. */
export interface RoundAnswer {
  resolved: number;
  sent: number;
  expired: number;
}

export const roundMs = 15_000;
/** A batch that was named this long ago and not sent was cut short; before that somebody is sending it. */
const cutShortMs = 60_000;
/** How long a named batch is sent again: half as long as a collector takes it. */
const namedForMs = batchAgeMs / 2;

/**
 * Begins the rounds; `close` waits for the one under way. Aggregators may run them side by side: rows are
 * taken under a lock that passes over those of another, and a batch sent by two is one batch.
 */
export function startRounds(options: AutomaticOptions): { close(): Promise<void> } {
  const ended = new AbortController();
  const run = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      await options.clock.sleep(roundMs, ended.signal).catch(() => {});
      if (ended.signal.aborted) return;
      await runRound(options).catch((error: unknown) => {
        options.logger.error("quarantine_round_failed", { error: errorText(error) });
      });
    }
  };
  const running = run();
  return {
    async close() {
      ended.abort();
      await running;
    },
  };
}

/** One round. Rejects where the store or the way in does not answer; the next round goes on from there. */
export async function runRound(options: AutomaticOptions): Promise<RoundAnswer> {
  const { store, clock, meter, days } = options;
  const expired = await expireRows(store, clock.now(), days);
  let resolved = 0;
  for (;;) {
    const more = await resolveSent(store, clock.now());
    resolved += more.length;
    for (const { outcome } of more) meter.count("weir.aggregator.retries", 1, { "weir.outcome": outcome });
    if (more.length === 0) break;
  }
  const sent = await sendDue(options);
  meter.set("weir.aggregator.quarantine", await countOpen(store));
  return { expired, resolved, sent };
}

async function countOpen(store: Store): Promise<number> {
  const [row] = await store.sql<[{ open: number }]>`
    select count(*)::float8 as open from quarantine where status = 'open'`;
  return row.open;
}

async function sendDue({ store, reenter, clock }: AutomaticOptions): Promise<number> {
  if (reenter === undefined) return 0;
  await scheduleRetries(store, clock.now());
  // No collector would take a batch any more that was named so long ago: its rows wait to be named anew.
  await store.sql`
    update quarantine
    set status = 'open'
    where status = 'retrying' and retried_at < ${new Date(clock.now() - namedForMs)}`;
  const cutShort = await store.sql`
    select distinct retry_batch_id
    from quarantine
    where status = 'retrying' and retried_at < ${new Date(clock.now() - cutShortMs)}`;
  const due = { selection: { due: clock.now() }, asNew: false, actor: "automatic" };
  const claimed = await claimRows(store, due, "0", clock.now());
  const batchIds = [...cutShort.map((row) => String(row["retry_batch_id"])), ...claimed.batchIds];
  for (const batchId of batchIds) await sendBatch(store, reenter, batchId);
  return claimed.events;
}
