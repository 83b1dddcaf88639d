// Puts the rows of a plan into the store: straight where all of them are new, over a temporary table
// where some may be copies of stored ones, which are then compared.
import type { TransactionSql } from "postgres";
import { copyRows } from "./copy.ts";
import { storedFingerprints } from "./lookup.ts";
import { type Candidate, type Plan, rowsToSend } from "./plan.ts";
import { eventColumnList } from "./rows.ts";
import { errorCode } from "./store/errors.ts";

/** How the rows went in, for the meter. */
export type Way = "copy" | "staged";

/** Transactions that stage at once after one that met a copy: a copy seldom comes alone. */
const stagedAfterCopy = 8;

/** Remembers whether copies are frequent now; one for each writer. */
export interface Inserter {
  /** Inserts the plan's kept rows. Copies of stored events are duplicates afterwards, still to be judged. */
  insert(tx: TransactionSql, plan: Plan): Promise<Way>;
}

/** `deadlineMs` bounds each COPY. */
export function createInserter(deadlineMs: number): Inserter {
  let stagedLeft = 0;
  return {
    async insert(tx, plan) {
      const rows = rowsToSend(plan);
      if (rows.length === 0) return "copy";
      if (stagedLeft === 0) {
        try {
          await copyRows(tx, `events (${eventColumnList})`, rows, deadlineMs);
          return "copy";
        } catch (error) {
          if (errorCode(error) !== "23505") throw error;
        }
      }
      const copies = await insertStaged(tx, plan, rows, deadlineMs);
      stagedLeft = copies > 0 ? stagedAfterCopy : Math.max(0, stagedLeft - 1);
      return "staged";
    },
  };
}

/** Makes the temporary table of this session, shaped like events; a commit empties it. */
export async function makeStage(tx: TransactionSql): Promise<void> {
  await tx`create temp table if not exists weir_stage (like event_columns including defaults) on commit delete rows`;
}

async function insertStaged(
  tx: TransactionSql,
  plan: Plan,
  rows: Uint8Array,
  deadlineMs: number,
): Promise<number> {
  await makeStage(tx);
  await copyRows(tx, `weir_stage (${eventColumnList})`, rows, deadlineMs);
  const [answer] = await tx`
    with inserted as (
      insert into events (${tx.unsafe(eventColumnList)})
      select ${tx.unsafe(eventColumnList)} from weir_stage
      order by id
      on conflict do nothing
      returning id
    )
    select count(*)::int as count, string_agg(uuid_send(id), ''::bytea) as ids from inserted`;
  const sent = plan.kept.filter((one) => one.fate === "stored");
  if (answer?.["count"] === sent.length) return 0;
  const ids: Buffer = answer?.["ids"] ?? Buffer.alloc(0);
  const inserted = new Set<string>();
  for (let at = 0; at < ids.length; at += 16) inserted.add(ids.toString("latin1", at, at + 16));
  const copies = sent.filter((one) => !inserted.has(one.key));
  await compare(tx, copies);
  return copies.length;
}

// A statement of its own, since the rows may have come while the insert waited for another transaction.
// What is gone again by now was removed by retention or erasure, which hold against its copies too.
async function compare(tx: TransactionSql, copies: readonly Candidate[]): Promise<void> {
  const stored = await storedFingerprints(
    tx,
    copies.map((one) => one.key),
  );
  for (const one of copies) {
    one.stored = stored.get(one.key);
    one.fate = "duplicate";
  }
}
