// What is to be told outside, noted in the transaction that it tells of and published later.
import type { TransactionSql } from "postgres";

/** One notice. Those of one key are published in the order in which their transactions committed. */
export interface Notice {
  topic: "metrics" | "alerts";
  /** What is told of; at most 1,000 characters. */
  key: string;
  /** Without `id` and `made_at`, which are put before it, the same in every copy. */
  body: Record<string, unknown>;
}

/**
 * Notes notices in the caller's transaction: they are told if it commits, and not otherwise. Whoever notes
 * waits for others who do until their end, so that numbers are in the order of commits: call it last.
 */
export async function noteNotices(tx: TransactionSql, notices: readonly Notice[]): Promise<void> {
  if (notices.length === 0) return;
  await tx`select pg_advisory_xact_lock(hashtextextended(current_schema() || '.notices', 0))`;
  await tx`
    insert into notices (topic, key, body)
    select noted ->> 'topic', noted ->> 'key', noted -> 'body'
    from jsonb_array_elements(${JSON.stringify(notices)}::text::jsonb) with ordinality as given (noted, place)
    order by place`;
}
