// Who may read the stable views and nothing else: a role to be given to others, and one that a select runs as.
import { createHash } from "node:crypto";
import type { Sql, TransactionSql } from "postgres";
import { errorCode, isAway } from "./errors.ts";

/** What any SQL client may rely on. */
export const stableViews: readonly string[] = [
  "cohort_daily_active_users",
  "daily_metrics",
  "hourly_dimensions",
  "hourly_metrics",
  "raw_events",
  "revenue_by_day",
  "sessions",
  "users",
];

/**
 * The roles of a schema, since roles are of a whole cluster: two databases with a schema of one name share them, and
 * what each may read there is still granted by its own database. `asker` has no members, so that nobody but the
 * schema's owner can put another function in the place of `ask`.
 */
export function readerRoles(schema: string): { reader: string; asker: string } {
  const hash = createHash("sha256").update(schema).digest("hex").slice(0, 8);
  const stem = schema.length <= 56 ? schema : `${schema.slice(0, 47)}_${hash}`;
  return { reader: `${stem}_reader`, asker: `${stem}_asker` };
}

/**
 * A select runs in a function that belongs to `asker`. Setting the role instead would not do: a select may set it
 * back and go on by functions that run text. In here PostgreSQL refuses that. Under another owner, as a copy of the
 * schema may have, it does nothing. `asked` is one whole statement, and comes without a semicolon: rows of a select
 * within a select can be limited and are made by parallel workers, those of a cursor by none.
 */
const bodyOf = (asker: string): string => `
begin
  if current_user <> '${asker}' then
    raise exception 'ask() is not of ${asker}: run weir migrate' using errcode = 'insufficient_privilege';
  end if;
  return query execute 'select row(asked.*)::text from (' || asked || E'\\n) as asked limit ' || rows_max;
end
`;

/** Whether both roles have what they need, and this session may call `ask`. */
export async function isReaderKept(sql: Sql | TransactionSql, schema: string): Promise<boolean> {
  const { reader, asker } = readerRoles(schema);
  const [row] = await sql<[{ is_kept: boolean }]>`
    select (
      select count(*) = ${2 * stableViews.length}
      from pg_roles r
      cross join pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      where r.rolname in (${reader}, ${asker})
        and n.nspname = ${schema}
        and c.relname = any(${[...stableViews]}::text[])
        and has_schema_privilege(r.oid, n.oid, 'usage')
        and has_table_privilege(r.oid, c.oid, 'select')
    ) and exists (
      select 1
      from pg_proc p
      where p.oid = to_regprocedure(${`"${schema}".ask(text,integer)`})
        and p.prosecdef
        and p.prosrc = ${bodyOf(asker)}
        and pg_get_userbyid(p.proowner) = ${asker}
        and has_function_privilege(p.oid, 'execute')
    ) as is_kept`;
  return row.is_kept;
}

/**
 * Makes the roles of the schema the session is in, and gives them the stable views. Answers false where the server
 * lets us make no roles: then all is as without them. Runs again without effect.
 */
export async function keepReader(tx: TransactionSql, schema: string): Promise<boolean> {
  if (await isReaderKept(tx, schema)) return true;
  return await tried(tx, async (inner) => {
    await makeRoles(inner, schema);
    const { reader, asker } = readerRoles(schema);
    const views = stableViews.map((view) => `"${schema}".${view}`).join(", ");
    await inner.unsafe(`grant usage on schema "${schema}" to "${reader}", "${asker}"`);
    await inner.unsafe(`grant select on ${views} to "${reader}", "${asker}"`);
    await makeAsk(inner, schema, asker);
  });
}

/** After a swap: `before` bears the old tables, `schema` those that were built as `beside`. */
export async function moveReader(
  tx: TransactionSql,
  schema: string,
  beside: string,
  before: string,
): Promise<void> {
  await tried(tx, async (inner) => {
    await forget(inner, before, schema);
    await forget(inner, schema, beside);
    for (const role of Object.values(readerRoles(beside)))
      await inner.unsafe(`drop role if exists "${role}"`);
  });
  await keepReader(tx, schema);
}

async function makeRoles(tx: TransactionSql, schema: string): Promise<void> {
  const names = Object.values(readerRoles(schema));
  const found = await tx<{ name: string; is_more: boolean }[]>`
    select rolname as name,
      rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls or rolcanlogin
        or exists (select 1 from pg_auth_members m where m.member = r.oid) as is_more
    from pg_roles r
    where rolname = any(${names}::text[])`;
  // Somebody else's role of this name, which would lend a select its rights.
  if (found.some(({ is_more: isMore }) => isMore)) throw new ForeignRoleError();
  for (const name of names) {
    if (!found.some((role) => role.name === name)) await tx.unsafe(`create role "${name}" nologin`);
  }
}

/** A role that may do more than it should is left as it is, and not used. */
class ForeignRoleError extends Error {
  readonly code = "42710";
}

// A function is given away by a member of the role that gets it, who has to be able to create where it lies.
async function makeAsk(tx: TransactionSql, schema: string, asker: string): Promise<void> {
  const name = `"${schema}".ask(text, integer)`;
  const [me] = await tx<[{ name: string; is_member: boolean }]>`
    select current_user as name, pg_has_role(${asker}, 'usage') as is_member`;
  await tx.unsafe(`drop function if exists ${name}`);
  await tx.unsafe(`
    create function "${schema}".ask(asked text, rows_max integer) returns setof text
    language plpgsql security definer set search_path from current
    as $ask$${bodyOf(asker)}$ask$`);
  await tx.unsafe(
    `comment on function ${name} is 'Runs one select with the rights of ${asker}, for weir query.'`,
  );
  await tx.unsafe(`revoke all on function ${name} from public`);
  if (!me.is_member) await tx.unsafe(`grant "${asker}" to current_user`);
  await tx.unsafe(`grant create on schema "${schema}" to "${asker}"`);
  await tx.unsafe(`alter function ${name} owner to "${asker}"`);
  await tx.unsafe(`revoke create on schema "${schema}" from "${asker}"`);
  await tx.unsafe(`grant execute on function ${name} to "${me.name}"`);
  if (!me.is_member) await tx.unsafe(`revoke "${asker}" from current_user`);
}

// Takes the rights that the roles of `owner` have in `schema`.
async function forget(tx: TransactionSql, schema: string, owner: string): Promise<void> {
  await tx.unsafe(`drop function if exists "${schema}".ask(text, integer)`);
  const names = Object.values(readerRoles(owner));
  const roles = await tx`select rolname as name from pg_roles where rolname = any(${names}::text[])`;
  for (const { name } of roles) {
    await tx.unsafe(`revoke all on all tables in schema "${schema}" from "${name}"`);
    await tx.unsafe(`revoke all on schema "${schema}" from "${name}"`);
  }
}

// What the server refuses leaves the transaction as it was.
async function tried(tx: TransactionSql, work: (inner: TransactionSql) => Promise<void>): Promise<boolean> {
  try {
    await tx.savepoint(work);
    return true;
  } catch (error) {
    if (errorCode(error) === "" || isAway(error)) throw error;
    return false;
  }
}
