// Finds the events that PostgreSQL refuses, by halving, so that one of them never stops a partition.
import type { Sql, TransactionSql } from "postgres";
import { copyRows } from "./copy.ts";
import { type Candidate, type Plan, placeOf } from "./plan.ts";
import { eventColumnList } from "./rows.ts";
import { makeStage } from "./stage.ts";
import { errorText, isRefusal } from "./store/errors.ts";

class Undo extends Error {}

/**
 * Tries the plan's rows against a temporary table, in a transaction that is undone. Answers what was
 * refused, by place, with the server's words; log2(n) copies for one bad event among n.
 */
export async function findUnwritable(
  session: Sql,
  plan: Plan,
  deadlineMs: number,
): Promise<Map<string, string>> {
  const refused = new Map<string, string>();
  try {
    await session.begin(async (tx) => {
      await makeStage(tx);
      await probe(tx, plan, plan.kept, refused, deadlineMs);
      throw new Undo();
    });
  } catch (error) {
    if (!(error instanceof Undo)) throw error;
  }
  return refused;
}

async function probe(
  tx: TransactionSql,
  plan: Plan,
  part: readonly Candidate[],
  refused: Map<string, string>,
  deadlineMs: number,
): Promise<void> {
  if (part.length === 0) return;
  const rows = plan.rows.bytes.subarray(part[0]!.rowStart, part.at(-1)!.rowEnd);
  try {
    await copyRows(tx, `weir_stage (${eventColumnList})`, rows, deadlineMs);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    if (part.length === 1) {
      refused.set(placeOf(part[0]!), errorText(error));
      return;
    }
    const middle = part.length >> 1;
    await probe(tx, plan, part.slice(0, middle), refused, deadlineMs);
    await probe(tx, plan, part.slice(middle), refused, deadlineMs);
  }
}
