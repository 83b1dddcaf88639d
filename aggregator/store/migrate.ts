// Brings a store's schema up to date: numbered files, forward only, each in a transaction of its own.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Sql, TransactionSql } from "postgres";
import { reach } from "../../shared/crash-point.ts";
import { keepColumns } from "./columnstore.ts";
import { keepHours } from "./continuous.ts";
import { errorText } from "./errors.ts";
import { keepReader } from "./reader.ts";
import { type Store, StoreError } from "./store.ts";

/** What was applied now, by name, and the newest migration that the schema has. */
export interface MigrateAnswer {
  applied: string[];
  current: string;
}

/** A migration as the folder has it: its plain text, and the one for a hypertable where they differ. */
interface Migration {
  name: string;
  plain: string;
  timescale: string;
}

interface Applied {
  name: string;
  variant: string;
  checksum: string;
}

const ownFolder = join(import.meta.dirname, "../../sql/migrations");

/**
 * Applies what is missing. Runs at the same time wait for each other and all succeed. Rejects with
 * `migration_changed` where an applied file reads otherwise now, and with `migration_newer` where the
 * schema has one this program does not know: an older program must not write into it.
 */
export async function migrate(store: Store, options: { folder?: string } = {}): Promise<MigrateAnswer> {
  const known = readFolder(options.folder ?? ownFolder);
  await offerExtension(store);
  const session = await store.writer();
  try {
    const variant = await prepare(session, store);
    const applied: string[] = [];
    for (const migration of known) {
      if (await step(session, store.schema, known, migration, variant)) applied.push(migration.name);
    }
    await store.inspect();
    await keepColumns(store);
    await keepHours(store);
    await underLock(session, store.schema, (tx) => keepReader(tx, store.schema));
    return { applied, current: known.at(-1)?.name ?? "" };
  } finally {
    await session.end({ timeout: 5 });
  }
}

function readFolder(folder: string): Migration[] {
  const files = readdirSync(folder).filter((file) => /^\d{4}_[a-z_]+(\.timescale)?\.sql$/.test(file));
  const names = [...new Set(files.map((file) => file.replace(/(\.timescale)?\.sql$/, "")))].sort();
  return names.map((name) => {
    const plain = readFileSync(join(folder, `${name}.sql`), "utf8");
    const other = `${name}.timescale.sql`;
    return {
      name,
      plain,
      timescale: files.includes(other) ? readFileSync(join(folder, other), "utf8") : plain,
    };
  });
}

// The schema, the list of what was applied, and once for ever which variant this schema is of.
async function prepare(session: Sql, store: Store): Promise<"plain" | "timescale"> {
  return await underLock(session, store.schema, async (tx) => {
    // The right to make one is asked for even where it is there, and not everybody who migrates has it.
    const [made] = await tx`select 1 from pg_namespace where nspname = ${store.schema}`;
    if (made === undefined) await tx`create schema ${tx(store.schema)}`;
    await tx`
      create table if not exists schema_migrations (
        name text not null,
        variant text not null,
        checksum text not null,
        applied_at timestamptz not null default now(),
        constraint schema_migrations_key primary key (name)
      )`;
    const [first] = await tx`select variant from schema_migrations limit 1`;
    if (first !== undefined) return first["variant"] === "timescale" ? "timescale" : "plain";
    const [extension] = await tx`select 1 from pg_extension where extname = 'timescaledb'`;
    return extension === undefined ? "plain" : "timescale";
  });
}

// Where the server offers TimescaleDB and lets us, it is taken; where not, plain partitions serve as well.
// In a session of its own: a server that has the extension but not loaded ends the session that asks.
async function offerExtension(store: Store): Promise<void> {
  const [found] = await store.sql`
    select
      to_regclass(${`${store.schema}.schema_migrations`}) is null as is_new,
      (select installed_version is null from pg_available_extensions where name = 'timescaledb') as is_offered`;
  if (found?.["is_new"] !== true || found["is_offered"] !== true) return;
  const session = await store.writer();
  await session`create extension if not exists timescaledb with schema public`.catch(() => {});
  await session.end({ timeout: 5 });
}

/** Says that this schema is of a hypertable now: what was applied stands there as it reads for one. */
export async function noteHypertable(tx: TransactionSql): Promise<void> {
  for (const { name, timescale } of readFolder(ownFolder)) {
    await tx`
      update schema_migrations set variant = 'timescale', checksum = ${checksum(timescale)} where name = ${name}`;
  }
}

async function step(
  session: Sql,
  schema: string,
  known: readonly Migration[],
  migration: Migration,
  variant: "plain" | "timescale",
): Promise<boolean> {
  const text = migration[variant];
  try {
    return await underLock(session, schema, async (tx) => {
      const applied =
        (await tx`select name, variant, checksum from schema_migrations`) as unknown as Applied[];
      check(applied, known);
      if (applied.some((one) => one.name === migration.name)) return false;
      await tx.unsafe(text);
      reach("migration");
      await tx`
        insert into schema_migrations (name, variant, checksum)
        values (${migration.name}, ${variant}, ${checksum(text)})`;
      return true;
    });
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    throw new StoreError("migration_failed", `Migration ${migration.name} failed: ${errorText(cause)}`, {
      cause,
    });
  }
}

function check(applied: readonly Applied[], known: readonly Migration[]): void {
  for (const { name, variant, checksum: found } of applied) {
    const own = known.find((migration) => migration.name === name);
    if (own === undefined) {
      throw new StoreError(
        "migration_newer",
        `The store has migration ${name}, which this program does not know.`,
      );
    }
    if (checksum(variant === "timescale" ? own.timescale : own.plain) !== found) {
      throw new StoreError("migration_changed", `Migration ${name} was applied with another content.`);
    }
  }
}

// A transaction's lock, never a session's: it also holds behind a pooler, and cannot be left behind.
async function underLock<T>(
  session: Sql,
  schema: string,
  work: (tx: TransactionSql) => Promise<T>,
): Promise<T> {
  const run = async (tx: TransactionSql): Promise<T> => {
    await tx`set local statement_timeout = 0`;
    await tx`select pg_advisory_xact_lock(hashtextextended(${`weir.migrate.${schema}`}, 0))`;
    return await work(tx);
  };
  return (await session.begin(run)) as T;
}

const checksum = (text: string): string => createHash("sha256").update(text).digest("hex");
