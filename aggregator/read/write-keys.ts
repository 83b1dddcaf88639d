// The write keys edges may accept, by hash alone.
import type { Sql } from "postgres";
import type { KeyRight, WriteKey } from "../../shared/event/write-key.ts";
import { inSnapshot } from "./answer.ts";

/** Every key that was not revoked. */
export async function readWriteKeys(sql: Sql): Promise<WriteKey[]> {
  return inSnapshot(sql, async (tx) => {
    const rows = await tx<{ key_hash: string; project_id: string; rights: KeyRight[] }[]>`
      select key_hash, project_id, rights
      from write_keys
      where revoked_at is null
      order by created_at, key_hash`;
    return rows.map((row) => ({ hash: row.key_hash, project: row.project_id, rights: row.rights }));
  });
}
