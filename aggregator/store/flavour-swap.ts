// Puts the hypertable in the place of the partitioned table, with the indexes, views and rights that stood on it.
import type { Sql, TransactionSql } from "postgres";
import { noteHypertable } from "./migrate.ts";

/** Makes the hypertable `events_next` with the columns and indexes that events has now; one that has them stays. */
export async function makeNext(session: Sql): Promise<void> {
  await session.begin(async (tx) => {
    const shape = (table: string) => tx`
      (select string_agg(concat(attname, ' ', format_type(atttypid, atttypmod)), ', ' order by attnum)
        from pg_attribute
        where attrelid = to_regclass(${table}) and attnum > 0 and not attisdropped)`;
    const [found] = await tx`select ${shape("events")} = ${shape("events_next")} as same`;
    if (found?.["same"] === true) return;
    await tx`drop table if exists events_next`;
    await tx`
      create table events_next (
        like events including defaults including comments,
        constraint events_next_key primary key (id, event_time)
      )`;
    await tx`
      select create_hypertable(
        'events_next', by_range('event_time', interval '1 day'), create_default_indexes => false
      )`;
    for (const { name, definition } of await indexesOf(tx)) {
      await tx.unsafe(
        definition.replace(/^(create .*index) \S+ on (only )?\S+ /i, `$1 ${name}_next on events_next `),
      );
    }
  });
}

/** Runs in the transaction that holds writers off, when both tables are equal. */
export async function takePlace(tx: TransactionSql): Promise<void> {
  const indexes = await indexesOf(tx);
  const views = await viewsOn(tx);
  const rights = await rightsOf(tx, "events");
  const [comment] = await tx`select obj_description('events'::regclass, 'pg_class') as text`;
  for (const { name } of views.toReversed()) await tx.unsafe(`drop view ${name}`);
  await tx`drop table events`;
  await tx`alter table events_next rename to events`;
  await tx`alter table events rename constraint events_next_key to events_key`;
  for (const { name } of indexes) await tx.unsafe(`alter index ${name}_next rename to ${name}`);
  await tx.unsafe(`comment on table events is ${literal(comment?.["text"])}`);
  for (const right of rights) await tx.unsafe(right);
  for (const view of views) {
    await tx.unsafe(`create view ${view.name} ${view.options} as ${view.definition}`);
    await tx.unsafe(`comment on view ${view.name} is ${literal(view.comment)}`);
    for (const [column, text] of Object.entries(view.column_comments)) {
      await tx.unsafe(`comment on column ${view.name}.${column} is ${literal(text)}`);
    }
    for (const right of view.rights) await tx.unsafe(right);
  }
  await noteHypertable(tx);
}

async function indexesOf(tx: TransactionSql): Promise<{ name: string; definition: string }[]> {
  return await tx<{ name: string; definition: string }[]>`
    select c.relname as name, pg_get_indexdef(c.oid) as definition
    from pg_index i
    join pg_class c on c.oid = i.indexrelid
    where i.indrelid = 'events'::regclass
      and not exists (select 1 from pg_constraint k where k.conindid = c.oid)
    order by c.relname`;
}

interface View {
  name: string;
  definition: string;
  options: string;
  comment: string | null;
  /** By the column's name, quoted where it has to be. */
  column_comments: Record<string, string>;
  rights: string[];
}

// Views of events and views of those, each behind what it stands on.
async function viewsOn(tx: TransactionSql): Promise<View[]> {
  const found = await tx<Omit<View, "rights">[]>`
    with recursive standing as (
      select 'events'::regclass::oid as oid, 0 as depth
      union
      select r.ev_class, s.depth + 1
      from standing s
      join pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = s.oid
        and d.classid = 'pg_rewrite'::regclass
      join pg_rewrite r on r.oid = d.objid and r.ev_class <> s.oid
    )
    select
      c.oid::regclass::text as name,
      pg_get_viewdef(c.oid) as definition,
      coalesce('with (' || array_to_string(c.reloptions, ', ') || ')', '') as options,
      obj_description(c.oid, 'pg_class') as comment,
      (
        select coalesce(jsonb_object_agg(quote_ident(a.attname), d.description), '{}')
        from pg_attribute a
        join pg_description d on d.objoid = c.oid and d.objsubid = a.attnum and d.classoid = 'pg_class'::regclass
        where a.attrelid = c.oid
      ) as column_comments
    from (select oid, max(depth) as depth from standing group by oid) as s
    join pg_class c on c.oid = s.oid and c.relkind = 'v'
    order by s.depth, c.relname`;
  const views: View[] = [];
  for (const view of found) views.push({ ...view, rights: await rightsOf(tx, view.name) });
  return views;
}

/** What was granted to others on a table or view, as the statements that grant it. */
export async function rightsOf(tx: TransactionSql, table: string): Promise<string[]> {
  const rows = await tx<{ text: string }[]>`
    select format(
      'grant %s on %s to %s%s',
      a.privilege_type, ${table}::text,
      case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
      case when a.is_grantable then ' with grant option' else '' end
    ) as text
    from pg_class c
    cross join lateral aclexplode(c.relacl) as a
    where c.oid = ${table}::regclass and a.grantee <> c.relowner`;
  return rows.map(({ text }) => text);
}

const literal = (text: unknown): string =>
  typeof text === "string" ? `'${text.replaceAll("'", "''")}'` : "null";
