// Streams that were removed with their events: where they ended, so that what goes on there makes no gap.
import type { ISql, TransactionSql } from "postgres";

/** Where a removed stream ended. */
export interface End {
  nextSeq: number;
  /** Numbers its client had said it gave up by then. */
  declaredLost: number;
}

/** The key of a stream in memory. */
export const streamKey = (project: string, streamId: string): string => `${project}\0${streamId}`;

/** What stands for a stream once it is removed: whoever holds the table alone cannot tell which it was. */
export const streamHash = (sql: ISql, column: string) => sql`sha256(convert_to(${sql(column)}, 'UTF8'))`;

/** Those of the streams that were removed once, by their keys. Runs behind the lock that removing them takes. */
export async function readEnds(
  tx: TransactionSql,
  streams: Iterable<{ project: string; streamId: string }>,
): Promise<Map<string, End>> {
  const asked = Array.from(streams, ({ project, streamId }) => ({ project, stream: streamId }));
  const rows = await tx`
    select a.project, a.stream, r.next_seq::float8 as next_seq, r.declared_lost::float8 as declared_lost
    from jsonb_to_recordset(${tx.json(asked)}) as a(project text, stream text)
    join removed_streams r on r.project_id = a.project and r.stream_hash = ${streamHash(tx, "a.stream")}`;
  return new Map(
    rows.map((row) => [
      streamKey(row["project"], row["stream"]),
      { nextSeq: row["next_seq"], declaredLost: row["declared_lost"] },
    ]),
  );
}
