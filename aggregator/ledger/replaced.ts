// Logs that were made anew under the same name: entered when the new one is first opened.
import type { Sql } from "postgres";
import type { LogIdentity } from "../../shared/log/log.ts";

/**
 * Enters every log of this topic that the store knows and that this one replaces, and answers those that
 * were not entered before. Another cluster, or a file and a cluster, are another place and not the same
 * log made anew.
 */
export async function noteReplaced(sql: Sql, log: LogIdentity): Promise<string[]> {
  const rows = await sql`
    insert into log_replacements (topic, log_id, replaced_by)
    select distinct topic, log_id, ${log.id}
    from log_positions p
    where topic = ${log.topic}
      and log_id <> ${log.id}
      and (strpos(log_id, '/') = 0) = ${!log.id.includes("/")}
      and (strpos(log_id, '/') = 0 or split_part(log_id, '/', 1) = split_part(${log.id}, '/', 1))
      and not exists (select from log_replacements r where r.log_id = p.log_id)
    on conflict do nothing
    returning log_id`;
  return rows.map((row) => String(row["log_id"]));
}
