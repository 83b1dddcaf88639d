// Puts a rebuilt schema in the place of the live one, in one transaction that the live writers wait for.
import type { TransactionSql } from "postgres";
import { noteAction } from "../audit.ts";
import { moveReader } from "../store/reader.ts";
import { ReplayError } from "./snapshot.ts";

/**
 * Keeps every writer of the live store waiting until this transaction ends. What they have committed
 * before is seen afterwards; their next transaction finds the tables that then bear the name.
 */
export async function holdWriters(live: TransactionSql): Promise<void> {
  await live`set local lock_timeout = '20s'`;
  await live`lock table log_positions in access exclusive mode`;
}

/**
 * Gives the live schema's name to the rebuilt one, and answers the name that the old one bears now. The
 * epochs are raised, so that a writer of before is fenced and takes its partitions anew.
 */
export async function swapSchemas(
  live: TransactionSql,
  schema: string,
  beside: string,
  actor: string,
): Promise<string> {
  const positions = await live.unsafe(`
    select l.log_id
    from ${schema}.log_positions l
    left join ${beside}.log_positions b using (log_id, topic, partition)
    where b.next_offset is distinct from l.next_offset`);
  if (positions.length > 0)
    throw new ReplayError("swap_refused", "the rebuilt store is not as far as the live one");
  await live.unsafe(`
    update ${beside}.log_positions b
    set epoch = l.epoch + 1, owner_pid = null, owner_started_at = null
    from ${schema}.log_positions l
    where l.log_id = b.log_id and l.topic = b.topic and l.partition = b.partition`);
  const [row] = await live`select to_char(now() at time zone 'utc', 'YYYYMMDD_HH24MISS') as at`;
  const before = `${schema.slice(0, 40)}_until_${row?.["at"]}`;
  await live.unsafe(`alter schema ${schema} rename to ${before}`);
  await live.unsafe(`alter schema ${beside} rename to ${schema}`);
  await moveReader(live, schema, beside, before);
  // The session's own schema is the one that now bears the name.
  await noteAction(live, { action: "swap", actor, target: before });
  return before;
}
