// Makes a write key: its text is shown once, its SHA-256 is what is kept.
import { createHash, randomBytes } from "node:crypto";
import { MisuseError } from "../../shared/command.ts";
import type { KeyRight } from "../../shared/event/write-key.ts";
import { canaryProject } from "../../shared/wire/canary.ts";
import type { Store } from "../store/store.ts";

export interface CreatedKey {
  key: string;
  project: string;
  rights: readonly KeyRight[];
}

/** Makes a key for a project and stores its hash. Edges learn it within 30 s. */
export async function createKey(
  store: Store,
  project: string,
  rights: readonly KeyRight[],
): Promise<CreatedKey> {
  if (project === canaryProject) throw new MisuseError(`--project: ${project} is Weir's own`);
  const key = `wk_${randomBytes(18).toString("base64url")}`;
  await keepKey(store, key, project, rights);
  return { key, project, rights };
}

/** Stores the hash of a key whose text exists already; a second time changes nothing. */
export async function keepKey(
  store: Store,
  key: string,
  project: string,
  rights: readonly KeyRight[],
): Promise<void> {
  const hash = createHash("sha256").update(key).digest("hex");
  await store.sql`
    insert into write_keys (key_hash, project_id, rights)
    values (${hash}, ${project}, ${[...rights]})
    on conflict do nothing`;
}
