// API tokens as they are kept: by the SHA-256 of their text, which is shown once.
import type { ISql } from "postgres";
import { MisuseError } from "../shared/command.ts";
import { identifierLengthMax } from "../shared/limits.ts";
import type { Role } from "./api/roles.ts";
import { noteAction } from "./audit.ts";
import { errorCode } from "./store/errors.ts";
import type { Store } from "./store/store.ts";
import { newTokenText, tokenHash } from "./tokens-text.ts";

/** A token's id in lists and commands: the first 12 digits of its hash. */
const idLength = 12;
const nameLengthMax = 100;
/** Ten years; whoever wants longer names no end. */
export const tokenDaysMax = 3_653;

export interface NewToken {
  name: string;
  role: Role;
  /** The one project it is answered for; all of them without. */
  project?: string | undefined;
  /** How long it is valid; for ever without. */
  keepMs?: number | undefined;
}

export interface ListedToken {
  id: string;
  name: string;
  role: Role;
  project: string | null;
  created_at: string;
  expires_at: string | null;
  revoked_at: string | null;
  last_used_at: string | null;
  state: "valid" | "expired" | "revoked";
}

/** What a valid token says of whoever has it. `expiresAt` is epoch ms. */
export interface FoundToken {
  name: string;
  role: Role;
  project: string | null;
  expiresAt: number | null;
}

/** Makes a token; its text is in this answer alone. Throws a MisuseError where the name is taken or none. */
export async function createToken(
  store: Store,
  { name, role, project, keepMs }: NewToken,
  actor: string,
): Promise<{ id: string; token: string; expires_at: string | null }> {
  checkText("--name", name, nameLengthMax);
  if (project !== undefined) checkText("--project", project, identifierLengthMax);
  if (keepMs === 0) throw new MisuseError("--expires: it would be none from the start");
  const token = newTokenText();
  const hash = tokenHash(token);
  const id = hash.slice(0, idLength);
  const made = await store.sql.begin(async (tx) => {
    const [kept] = await tx<{ expires_at: Date | null }[]>`
      insert into api_tokens (token_hash, name, role, project_id, expires_at)
      values (
        ${hash}, ${name}, ${role}, ${project ?? null},
        now() + ${keepMs === undefined ? null : `${keepMs} milliseconds`}::interval
      )
      on conflict do nothing
      returning expires_at`;
    if (kept === undefined) {
      throw new MisuseError("a token has this name already; revoke it, or take another name");
    }
    const outcome = `created, ${role}`;
    await noteAction(tx, {
      action: "token",
      actor,
      project: project ?? "",
      target: targetOf(id, name),
      outcome,
    });
    return { id, token, expires_at: kept.expires_at?.toISOString() ?? null };
  });
  return made as { id: string; token: string; expires_at: string | null };
}

/** Every token, the oldest first; revoked and expired ones too. */
export async function listTokens(sql: ISql): Promise<ListedToken[]> {
  const rows = await sql`
    select token_hash, name, role, project_id, created_at, expires_at, revoked_at, last_used_at,
      case
        when revoked_at is not null then 'revoked'
        when expires_at <= now() then 'expired'
        else 'valid'
      end as state
    from api_tokens
    order by created_at, token_hash`;
  const time = (value: Date | null): string | null => value?.toISOString() ?? null;
  return rows.map((row) => ({
    id: String(row["token_hash"]).slice(0, idLength),
    name: row["name"],
    role: row["role"],
    project: row["project_id"],
    created_at: (row["created_at"] as Date).toISOString(),
    expires_at: time(row["expires_at"]),
    revoked_at: time(row["revoked_at"]),
    last_used_at: time(row["last_used_at"]),
    state: row["state"],
  }));
}

/** Ends a token, by its name, its id or its text; aggregators follow within 10 s. */
export async function revokeToken(
  store: Store,
  named: string,
  actor: string,
): Promise<{ id: string; name: string }> {
  const revoked = await store.sql.begin(async (tx) => {
    const start = /^[0-9a-f]{8,64}$/.test(named) ? named : "none";
    const [found, other] = await tx<{ hash: string; name: string; project: string | null }[]>`
      select token_hash as hash, name, project_id as project
      from api_tokens
      where (name = ${named} or token_hash = ${tokenHash(named)} or starts_with(token_hash, ${start}))
        and revoked_at is null
      for update`;
    if (found === undefined) throw new MisuseError("no token has this name; see weir tokens list");
    if (other !== undefined) throw new MisuseError("more than one token is meant; give all of its id");
    await tx`update api_tokens set revoked_at = now() where token_hash = ${found.hash}`;
    const id = found.hash.slice(0, idLength);
    const { name, project } = found;
    const target = targetOf(id, name);
    await noteAction(tx, { action: "token", actor, project: project ?? "", target, outcome: "revoked" });
    return { id, name };
  });
  return revoked as { id: string; name: string };
}

/** The token with this hash, where it is valid, and notes its use at most once a minute. */
export async function findToken(sql: ISql, hash: string): Promise<FoundToken | undefined> {
  const [row] = await sql`
    select name, role, project_id, expires_at,
      last_used_at is null or last_used_at < now() - interval '1 minute' as is_new_use
    from api_tokens
    where token_hash = ${hash} and revoked_at is null and (expires_at is null or expires_at > now())`;
  if (row === undefined) return undefined;
  // Not waited for: whoever asks gets the answer even where the note cannot be made.
  if (row["is_new_use"] === true) void noteUse(sql, hash).catch(() => {});
  const expiresAt = (row["expires_at"] as Date | null)?.getTime() ?? null;
  return { name: row["name"], role: row["role"], project: row["project_id"], expiresAt };
}

/** Whether somebody has a valid token that may do everything. In a store that is not migrated nobody has. */
export async function hasAdminToken(sql: ISql): Promise<boolean> {
  const valid = sql`
    select 1
    from api_tokens
    where role = 'admin' and project_id is null and revoked_at is null
      and (expires_at is null or expires_at > now())
    limit 1`;
  const rows = await valid.catch((error) => {
    if (errorCode(error) === "42P01") return [];
    throw error;
  });
  return rows.length > 0;
}

async function noteUse(sql: ISql, hash: string): Promise<void> {
  await sql`
    update api_tokens
    set last_used_at = now()
    where token_hash = ${hash} and (last_used_at is null or last_used_at < now() - interval '1 minute')`;
}

const targetOf = (id: string, name: string): string => `token ${id} ${name}`;

function checkText(flag: string, text: string, lengthMax: number): void {
  if (text.trim() !== "" && text.length <= lengthMax && text.isWellFormed() && !/\p{Cc}/u.test(text)) return;
  throw new MisuseError(`${flag}: 1 to ${lengthMax} characters, none of them a control character`);
}
