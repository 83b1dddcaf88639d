// Write keys as they are kept: by the SHA-256 of their text, which is shown once.
import { createHash, randomBytes } from "node:crypto";
import type { ISql } from "postgres";
import { MisuseError } from "../shared/command.ts";
import { aliasText, isAliasText, isKeyText, type KeyRight } from "../shared/event/write-key.ts";
import { noteAction } from "./audit.ts";
import { keepProject } from "./projects.ts";
import type { Store } from "./store/store.ts";

/** A key's name in lists and commands: the first 12 digits of its hash. */
export const keyIdLength = 12;

export interface KeptKey {
  id: string;
  project: string;
  /** The public name that stands for a key; null for a key proper. */
  alias: string | null;
  rights: readonly KeyRight[];
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  state: "valid" | "expiring" | "expired" | "revoked";
}

export interface NewKey {
  project: string;
  rights: readonly KeyRight[];
  /** The text of a key that clients carry already; made up without it. */
  key?: string | undefined;
  alias?: string | undefined;
}

export interface CreatedKey {
  id: string;
  /** Null for an alias, which is no secret. */
  key: string | null;
  alias: string | null;
  project: string;
  rights: readonly KeyRight[];
  /** A brought key that may be guessed. */
  isWeak: boolean;
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");
const newKeyText = (): string => `wk_${randomBytes(18).toString("base64url")}`;

/** Makes a key or an alias. Throws a MisuseError where the text is none, or belongs to somebody already. */
export async function createKey(store: Store, made: NewKey, actor: string): Promise<CreatedKey> {
  const { project, rights, alias } = made;
  const text = alias === undefined ? (made.key ?? newKeyText()) : aliasText(alias);
  if (alias === undefined && !isKeyText(text)) {
    throw new MisuseError("--key: 1 to 256 printable ASCII characters, none of them a space");
  }
  if (alias !== undefined && !isAliasText(alias)) throw new MisuseError("--alias: 1 to 256 characters");
  // Who knows an alias is everybody, and everybody may not send what only its owner should.
  if (alias !== undefined && rights.length > 0) {
    throw new MisuseError("an alias is public and takes no rights beyond sending events");
  }
  const hash = hashOf(text);
  await store.sql.begin(async (tx) => {
    if (!(await insertKey(tx, hash, { ...made, alias: alias?.trim() }))) {
      throw new MisuseError("this key is known already; see weir keys list");
    }
    const target = `key ${hash.slice(0, keyIdLength)}`;
    await noteAction(tx, { action: "key", actor, project, target, outcome: "created" });
  });
  const isWeak = made.key !== undefined && weakness(made.key);
  const key = alias === undefined ? text : null;
  return { id: hash.slice(0, keyIdLength), key, alias: alias?.trim() ?? null, project, rights, isWeak };
}

// Sixteen different characters or more cannot be tried out over a network within anybody's patience.
const weakness = (key: string): boolean => key.length < 20 || new Set(key).size < 10;

/** Keeps the key of a data folder and its project, whose bodies are believed; a second time changes nothing. */
export async function keepLocalKey(store: Store, key: string, project: string): Promise<void> {
  await keepProject(store.sql, project, { takes_client_context: true });
  await insertKey(store.sql, hashOf(key), { project, rights: [] });
}

async function insertKey(sql: ISql, hash: string, { project, rights, alias }: NewKey): Promise<boolean> {
  await keepProject(sql, project);
  const { count } = await sql`
    insert into write_keys (key_hash, project_id, rights, alias)
    values (${hash}, ${project}, ${[...rights]}, ${alias ?? null})
    on conflict do nothing`;
  return count > 0;
}

/** Every key of a project, or of all, oldest first; revoked and expired ones too. */
export async function listKeys(sql: ISql, project?: string): Promise<KeptKey[]> {
  const rows = await sql`
    select key_hash, project_id, rights, alias, created_at, expires_at, revoked_at,
      case
        when revoked_at is not null then 'revoked'
        when expires_at <= now() then 'expired'
        when expires_at is not null then 'expiring'
        else 'valid'
      end as state
    from write_keys
    where ${project === undefined ? sql`true` : sql`project_id = ${project}`}
    order by project_id, created_at, key_hash`;
  const time = (value: Date | null): string | null => value?.toISOString() ?? null;
  return rows.map((row) => ({
    id: String(row["key_hash"]).slice(0, keyIdLength),
    project: row["project_id"],
    alias: row["alias"],
    rights: row["rights"],
    created_at: (row["created_at"] as Date).toISOString(),
    expires_at: time(row["expires_at"]),
    revoked_at: time(row["revoked_at"]),
    state: row["state"],
  }));
}

/** Makes a key in the place of another, which stays valid for `keepMs` more. */
export async function rotateKey(
  store: Store,
  named: string,
  keepMs: number,
  actor: string,
): Promise<CreatedKey & { replaces: string; expires_at: string }> {
  const made = await store.sql.begin(async (tx) => {
    const old = await findKey(tx, named);
    if (old.alias !== null) throw new MisuseError("an alias is a name and cannot be another; revoke it");
    const text = newKeyText();
    const hash = hashOf(text);
    await insertKey(tx, hash, { project: old.project, rights: old.rights });
    const [kept] = await tx<[{ expires_at: Date }]>`
      update write_keys
      set expires_at = least(coalesce(expires_at, 'infinity'), now() + ${`${keepMs} milliseconds`}::interval)
      where key_hash = ${old.hash}
      returning expires_at`;
    const target = `key ${old.hash.slice(0, keyIdLength)}`;
    const outcome = `rotated to ${hash.slice(0, keyIdLength)}`;
    await noteAction(tx, { action: "key", actor, project: old.project, target, outcome });
    return {
      id: hash.slice(0, keyIdLength),
      key: text,
      alias: null,
      project: old.project,
      rights: old.rights,
      isWeak: false,
      replaces: old.hash.slice(0, keyIdLength),
      expires_at: kept.expires_at.toISOString(),
    };
  });
  return made as CreatedKey & { replaces: string; expires_at: string };
}

/** Ends a key or an alias; edges follow within 30 s. */
export async function revokeKey(
  store: Store,
  named: string,
  actor: string,
): Promise<{ id: string; project: string }> {
  const revoked = await store.sql.begin(async (tx) => {
    const { hash, project } = await findKey(tx, named);
    await tx`update write_keys set revoked_at = now() where key_hash = ${hash}`;
    const id = hash.slice(0, keyIdLength);
    await noteAction(tx, { action: "key", actor, project, target: `key ${id}`, outcome: "revoked" });
    return { id, project };
  });
  return revoked as { id: string; project: string };
}

interface Found {
  hash: string;
  project: string;
  alias: string | null;
  rights: readonly KeyRight[];
}

// By its name in lists, by its text, or by the alias itself; what was revoked or has expired is found no more.
async function findKey(sql: ISql, named: string): Promise<Found> {
  const start = /^[0-9a-f]{8,64}$/.test(named) ? named : "none";
  const rows = await sql<Found[]>`
    select key_hash as hash, project_id as project, alias, rights
    from write_keys
    where (key_hash = ${hashOf(named)} or key_hash = ${hashOf(aliasText(named))} or starts_with(key_hash, ${start}))
      and revoked_at is null and (expires_at is null or expires_at > now())
    for update`;
  const [found, other] = rows;
  if (found === undefined) throw new MisuseError("no valid key has this name; see weir keys list");
  if (other !== undefined) throw new MisuseError("more than one key begins so; give more of its name");
  return found;
}
