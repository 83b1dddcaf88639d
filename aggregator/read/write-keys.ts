// What edges are told: the write keys they may accept, by hash alone, and what each project asks of them.
import type { Sql, TransactionSql } from "postgres";
import type { KeyRight } from "../../shared/event/write-key.ts";
import { readSetPolicies } from "../projects.ts";
import { inSnapshot } from "./answer.ts";

/** As it goes over the wire; edges that know fewer members pass the others over. */
export interface ToldKeys {
  /** `expires_at` is epoch ms. */
  keys: { hash: string; project: string; rights: readonly KeyRight[]; expires_at?: number }[];
  /** By project; what is not in one is as the edge's own defaults say. */
  policies: Record<string, unknown>;
  /** When the newest canary that was stored was sent, epoch ms; null where there is none. */
  newest_canary_at: number | null;
}

/** Every key that was not revoked and has not expired, the policy of every project, and how fresh the store is. */
export async function readWriteKeys(sql: Sql, signal?: AbortSignal): Promise<ToldKeys> {
  const work = async (tx: TransactionSql): Promise<ToldKeys> => {
    const rows = await tx<
      { key_hash: string; project_id: string; rights: KeyRight[]; expires_at: Date | null }[]
    >`
      select key_hash, project_id, rights, expires_at
      from write_keys
      where revoked_at is null and (expires_at is null or expires_at > now())
      order by created_at, key_hash`;
    const keys = rows.map(({ key_hash: hash, project_id: project, rights, expires_at }) => ({
      hash,
      project,
      rights,
      ...(expires_at === null ? {} : { expires_at: expires_at.getTime() }),
    }));
    const [newest] = await tx<[{ at: number | null }]>`
      select (extract(epoch from max(least(sent_at, stored_at))) * 1000)::float8 as at from canaries`;
    return { keys, policies: await readSetPolicies(tx), newest_canary_at: newest.at };
  };
  return inSnapshot(sql, work, signal);
}
