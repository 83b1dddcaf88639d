// Events whose time was moved here: their id differs from copy to copy, so they are found by their
// identity hash, and one at a time.
import type { TransactionSql } from "postgres";
import { storedFingerprints, uuidOf } from "./lookup.ts";
import { type Candidate, hashOf, type Plan } from "./plan.ts";

/**
 * Takes the lock under which moved and unmoved copies cannot miss each other: alone for a transaction
 * with a moved event, shared for every other. In READ COMMITTED each later statement then sees what the
 * holders before have committed. Answers whether there are moved events at all.
 */
export async function lockMoved(tx: TransactionSql, key: bigint, plan: Plan): Promise<boolean> {
  const isMoving = plan.kept.some((one) => one.isMoved);
  const [, [answer]] = await Promise.all([
    isMoving
      ? tx`select pg_advisory_xact_lock(${String(key)}::bigint)`
      : tx`select pg_advisory_xact_lock_shared(${String(key)}::bigint)`,
    tx`select exists (select 1 from moved_events) as found`,
  ]);
  return answer?.["found"] === true;
}

/** Waits for every writer under way, as one that is alone. */
export async function lockMovedAlone(tx: TransactionSql): Promise<void> {
  await tx`set local statement_timeout = 0`;
  await tx`select pg_advisory_xact_lock(${String(await movedLockKey(tx))}::bigint)`;
}

/** The lock's key: the schema's own, so that two schemas of one database do not wait for each other. */
export async function movedLockKey(tx: TransactionSql): Promise<bigint> {
  const [row] = await tx`select hashtextextended(current_schema() || '.moved_events', 0)::text as key`;
  return BigInt(String(row?.["key"]));
}

/**
 * Finds the copies among the kept events that their id does not show, takes them as duplicates still to be
 * judged, and enters the moved ones that are left. Runs before the rows and after `lockMoved`, which said `found`.
 */
export async function settleMoved(tx: TransactionSql, plan: Plan, found: boolean): Promise<void> {
  const moved = plan.kept.filter((one) => one.isMoved);
  if (!found && moved.length === 0) return;
  const known = found ? await movedKeys(tx, plan.kept) : new Map<string, string>();
  const originals = plan.kept.flatMap((one) => known.get(hashOf(one)) ?? one.unmovedKey ?? []);
  judgeMoved(plan, known, await storedFingerprints(tx, [...new Set(originals)]));
  await enter(
    tx,
    moved.filter((one) => one.fate === "stored"),
  );
}

/**
 * The rule by itself: `known` has the ids of moved events by identity hash, `stored` the fingerprints of
 * those ids and of unmoved ones. What is a copy of either is a duplicate, still to be judged.
 */
export function judgeMoved(
  { kept }: Plan,
  known: ReadonlyMap<string, string>,
  stored: ReadonlyMap<string, Buffer>,
): void {
  for (const one of kept) {
    const original = known.get(hashOf(one)) ?? one.unmovedKey;
    if (original === undefined || one.fate !== "stored") continue;
    one.stored = stored.get(original);
    // Known as moved and yet not stored: it was removed since, and its copies stay out with it.
    if (one.stored !== undefined || known.has(hashOf(one))) one.fate = "duplicate";
  }
}

async function movedKeys(tx: TransactionSql, kept: readonly Candidate[]): Promise<Map<string, string>> {
  const rows = await tx`
    select m.identity_hash, uuid_send(m.id) as id
    from unnest(${kept.map((one) => hexOf(hashOf(one)))}::text[]) as h(hex)
    join moved_events m on m.identity_hash = decode(h.hex, 'hex')`;
  return new Map(
    rows.map((row) => [
      (row["identity_hash"] as Buffer).toString("latin1"),
      (row["id"] as Buffer).toString("latin1"),
    ]),
  );
}

async function enter(tx: TransactionSql, moved: readonly Candidate[]): Promise<void> {
  if (moved.length === 0) return;
  const rows = moved.map((one) => ({ hash: hexOf(hashOf(one)), id: uuidOf(one.key) }));
  const { count } = await tx`
    insert into moved_events (identity_hash, id)
    select decode(hash, 'hex'), id
    from jsonb_to_recordset(${tx.json(rows)}) as r(hash text, id uuid)
    order by 1
    on conflict do nothing`;
  if (count !== moved.length) throw new Error("a moved event was entered by a writer without the lock");
}

const hexOf = (latin1: string): string => Buffer.from(latin1, "latin1").toString("hex");
