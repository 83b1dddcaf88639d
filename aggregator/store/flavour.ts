// Moves the events of plain PostgreSQL into a hypertable of the same database, while they keep arriving.
import type { Sql, TransactionSql } from "postgres";
import type { Clock } from "../../shared/clock.ts";
import { reach } from "../../shared/crash-point.ts";
import { retry } from "../../shared/retry.ts";
import { noteAction } from "../audit.ts";
import { errorText, isPassing } from "./errors.ts";
import { copyDays } from "./flavour-days.ts";
import { makeNext, takePlace } from "./flavour-swap.ts";
import { migrate } from "./migrate.ts";
import { type Store, StoreError, type StoreFlavour } from "./store.ts";

export interface UpgradeOptions {
  store: Store;
  clock: Clock;
  /** Who asks for it. */
  actor: string;
  /** Told after every day that was copied. */
  copied?(day: string, rows: number): void;
}

/** What was done; `from` and `to` are the same where the events lie in a hypertable already. */
export interface Upgraded {
  from: StoreFlavour;
  to: StoreFlavour;
  /** Events moved, each compared with what it was. */
  rows: number;
  /** How long writers were kept waiting, ms. */
  heldMs: number;
}

/** Readers that hold the old table are waited for this long; a question's statement takes 10 s at most. */
const lockMs = 60_000;
const again = { attemptsMax: 5, baseMs: 200, waitMsMax: 5_000 };

/**
 * Brings a store to the best that its server offers: plain partitions become a hypertable, and the community
 * edition's columns are kept. Days are copied while writers go on; then they wait, what has changed since is
 * copied again, and the tables change places in one transaction. Whoever was stopped in the middle has left
 * the old table as it was, and goes on from the days that are equal. Rejects with `extension_missing` where
 * the server has no TimescaleDB.
 */
export async function upgradeStore(options: UpgradeOptions): Promise<Upgraded> {
  const { store } = options;
  await migrate(store);
  const from = store.flavour;
  if (from !== "postgresql") return { from, to: from, rows: 0, heldMs: 0 };
  await checkOwner(store);
  await makeExtension(store);
  const session = await store.writer();
  try {
    await makeNext(session);
    await copyDays(session, options.copied);
    const held = await retry(again, options.clock, () => holdAndSwap(options, session), isPassing);
    await migrate(store);
    return { from, to: store.flavour, ...held };
  } finally {
    await session.end({ timeout: 5 });
  }
}

// Whoever else makes the table owns it then, and the aggregators could not write any more.
async function checkOwner(store: Store): Promise<void> {
  const [row] = await store.sql`
    select pg_get_userbyid(relowner) as owner, relowner = current_user::regrole as ours
    from pg_class
    where oid = to_regclass('events')`;
  if (row?.["ours"] === true) return;
  throw new StoreError("store_refused", `The events belong to ${row?.["owner"]}, who alone can move them.`);
}

// A server that has the extension's files but has not loaded it ends the session that asks.
async function makeExtension(store: Store): Promise<void> {
  const session = await store.writer();
  try {
    await session`create extension if not exists timescaledb with schema public`;
  } catch (cause) {
    throw new StoreError(
      "extension_missing",
      `The server of ${store.label} does not give TimescaleDB: ${errorText(cause)}`,
      { cause },
    );
  } finally {
    await session.end({ timeout: 5 });
  }
}

async function holdAndSwap(
  { store, clock, actor, copied }: UpgradeOptions,
  session: Sql,
): Promise<{ rows: number; heldMs: number }> {
  const holder = await store.writer();
  try {
    return (await holder.begin(async (tx) => {
      await hold(tx);
      const began = clock.now();
      // In a session of its own, a transaction a day: one alone would need locks for every chunk it makes.
      const rows = await copyDays(session, copied);
      await takePlace(tx);
      await noteAction(tx, { action: "swap", actor, target: "events", outcome: `${rows} into a hypertable` });
      reach("store_swap");
      return { rows, heldMs: clock.now() - began };
    })) as { rows: number; heldMs: number };
  } finally {
    await holder.end({ timeout: 5 });
  }
}

// Writers move a position first of all; who folds or removes is waited for. Questions go on.
async function hold(tx: TransactionSql): Promise<void> {
  await tx`
    select
      set_config('lock_timeout', ${String(lockMs)}, true),
      set_config('statement_timeout', '0', true),
      set_config('idle_in_transaction_session_timeout', '0', true)`;
  await tx`select pg_advisory_xact_lock(hashtextextended(current_schema() || '.models', 0))`;
  await tx`lock table log_positions in exclusive mode`;
  await tx`lock table events in exclusive mode`;
}
