// The roles of the stable views, and a select that tries what it likes.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ownSelect } from "../../aggregator/read/own-select.ts";
import { migrate } from "../../aggregator/store/migrate.ts";
import {
  isReaderKept,
  keepReader,
  moveReader,
  readerRoles,
  stableViews,
} from "../../aggregator/store/reader.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { foldAll } from "../support/fold-all.ts";
import { recordOf } from "./records.ts";
import { closeScene, openHand, openScene } from "./scene.ts";

const secretHash = "5ec2e7".padEnd(64, "0");

/** Run against any server of ours. */
export function readerSuite(url: () => string): void {
  describe("the roles of the stable views", () => {
    let store: Store;
    beforeAll(async () => {
      store = await openScene(url());
      const hand = await openHand(store);
      const people = ["ada", 'bob, "the \\builder"', ""].map((userId) => ({
        name: userId,
        fields: { userId },
      }));
      await hand.write(0, recordOf(people.slice(0, 2)));
      await hand.close();
      await foldAll(store);
      await store.sql`insert into write_keys (key_hash, project_id, rights) values (${secretHash}, 'p', '{}')`;
    }, 120_000);
    afterAll(async () => closeScene(store));

    it("are made by migrate, hold nothing but the views, and are made again without effect", async () => {
      expect(await isReaderKept(store.sql, store.schema)).toBe(true);
      for (const role of Object.values(readerRoles(store.schema))) {
        const rows = await store.sql`
          select c.relname as name
          from pg_class c
          where c.relnamespace = ${store.schema}::regnamespace
            and c.relkind in ('r', 'p', 'v', 'm', 'S')
            and case when c.relkind = 'S' then has_sequence_privilege(${role}, c.oid, 'usage, select, update')
              else has_table_privilege(${role}, c.oid, 'select, insert, update, delete, truncate, references, trigger')
              end
          order by 1`;
        expect(rows.map(({ name }) => name)).toEqual(stableViews);
      }
      await migrate(store);
      expect(await isReaderKept(store.sql, store.schema)).toBe(true);
    });

    it("answer as PostgreSQL writes, whatever a value holds", async () => {
      const sql = `
        select person, null as nothing, '' as nothing, true as yes, array[1, 2] as list, 'a,b' || chr(10) || '(c)' as odd,
          1.50::numeric as money, timestamptz '2026-01-02 03:04:05+00' as at
        from users where is_identified order by 1; `;
      const { columns, rows, isReader } = await ownSelect(store, sql);
      expect(isReader).toBe(true);
      expect(columns).toEqual(["person", "nothing", "nothing_3", "yes", "list", "odd", "money", "at"]);
      expect(rows[1]).toEqual({
        person: 'bob, "the \\builder"',
        nothing: null,
        nothing_3: "",
        yes: "t",
        list: "{1,2}",
        odd: "a,b\n(c)",
        money: "1.50",
        at: "2026-01-02 03:04:05+00",
      });
      expect((await ownSelect(store, "select null")).rows).toEqual([{ "?column?": null }]);
      expect((await ownSelect(store, "select null, null")).rows).toHaveLength(1);
      expect((await ownSelect(store, "select 1 where false")).rows).toEqual([]);
    });

    it("answer every stable view", async () => {
      for (const view of stableViews) {
        expect((await ownSelect(store, `select * from ${view}`)).rows.length, view).toBeGreaterThanOrEqual(0);
      }
      expect((await ownSelect(store, "select sum(events) as n from daily_metrics")).rows).toEqual([
        { n: "2" },
      ]);
    });

    const owner = "(select nspowner::regrole::text from pg_namespace where nspname = current_schema())";
    const back = (what: string) => [
      `select set_config('${what}', 'none', true), query_to_xml('select key_hash from write_keys', true, false, '')`,
      `select x from (select set_config('${what}', ${owner}, false) as role offset 0) r, lateral query_to_xml('select key_hash from write_keys', true, false, role) x`,
    ];
    const denied = /permission denied/;
    const kept = /within security-definer function|permission denied/;
    const attempts: [sql: string, why: RegExp][] = [
      ["select * from write_keys", denied],
      ["select payload from events", denied],
      ["select * from persons", denied],
      ["select * from users u join events e on true", denied],
      ["table schema_migrations", denied],
      ["select * from pg_authid", denied],
      ["select pg_read_file('/etc/passwd')", denied],
      ["select pg_ls_dir('.')", denied],
      ["select lo_import('/etc/passwd')", /permission denied|read-only/],
      ["select lo_export(1, '/tmp/x')", /permission denied|read-only/],
      ["select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()", denied],
      ["select pg_reload_conf()", denied],
      ["select query_to_xml('select * from write_keys', true, false, '')", denied],
      ["select ts_stat('select key_hash::tsvector from write_keys')", denied],
      ["select * from ask('select * from write_keys', 1)", denied],
      ...back("role").map((sql): [string, RegExp] => [sql, kept]),
      ...back("session_authorization").map((sql): [string, RegExp] => [sql, kept]),
      ["select set_config('transaction_read_only', 'off', true)", /read-only transaction|read-write mode/],
      ["delete from events", /not one select/],
      [
        "with gone as (delete from events returning 1) select * from gone",
        /denied|read-only|WITH|data-modifying/,
      ],
      ["select 1; delete from events", /multiple commands/],
      ["select 1; reset role; select * from write_keys", /multiple commands/],
      ["commit", /not one select/],
      ["set role none", /not one select/],
      ["copy events to '/tmp/x'", /not one select/],
      ["do $$ begin execute 'reset role'; end $$", /not one select/],
      ["declare c cursor for select 1", /not one select/],
      ["select 1) as asked; delete from events; select (1", /syntax error/],
      ["select 1) as asked, (select key_hash from write_keys", /syntax error/],
      ["select 1 /*", /unterminated/],
      ["explain select 1", /not one select/],
      ["nonsense", /syntax error/],
      ["", /not one select/],
      [";", /not one select/],
    ];

    it.each(attempts)("let nobody do %s", async (sql, why) => {
      const fault = await ownSelect(store, sql).then(
        ({ rows }) => JSON.stringify(rows),
        (error: unknown) => String((error as Error).message),
      );
      expect(fault).toMatch(why);
      expect(fault).not.toContain(secretHash);
      const [row] =
        await store.sql`select count(*)::int as n, current_user = session_user as is_own from events`;
      expect(row).toEqual({ n: 2, is_own: true });
    });

    it("leave nothing behind that a later statement of the session would feel", async () => {
      const { rows } = await ownSelect(
        store,
        "select set_config('search_path', 'pg_temp', false), set_config('statement_timeout', '0', false)",
      );
      expect(rows).toHaveLength(1);
      expect((await ownSelect(store, "select 1 as one from users limit 1")).rows).toEqual([{ one: "1" }]);
    });

    it("are for others, by a grant", async () => {
      const { reader } = readerRoles(store.schema);
      const guest = `${store.schema}_guest`;
      await store.sql.unsafe(`create role ${guest} nologin`);
      await store.sql.unsafe(`grant ${reader} to ${guest}`);
      const as = (sql: string) =>
        store.sql.begin(async (tx) => {
          await tx.unsafe(`set local role ${guest}`);
          return [...(await tx.unsafe(sql))];
        });
      expect(await as(`select person from ${store.schema}.users where person = 'ada'`)).toEqual([
        { person: "ada" },
      ]);
      await expect(as(`select * from ${store.schema}.events`)).rejects.toThrow(denied);
      // A view of one table could be written to as well.
      expect(await as(`select event_id from ${store.schema}.raw_events where user_id = 'ada'`)).toHaveLength(
        1,
      );
      await expect(as(`delete from ${store.schema}.raw_events`)).rejects.toThrow(denied);
      await expect(as(`select ${store.schema}.ask('select 1', 1)`)).rejects.toThrow(denied);
      await expect(as(`drop function ${store.schema}.ask(text, integer)`)).rejects.toThrow(/must be owner/);
      await store.sql.unsafe(`drop role ${guest}`);
    });

    it("are none where the server lets us make none, and migrate goes on", async () => {
      const poor = `${store.schema}_poor`;
      await store.sql.unsafe(`create role ${poor} nologin`);
      const other = await openScene(url());
      const names = Object.values(readerRoles(other.schema));
      await other.sql.unsafe(`drop function ask(text, integer)`);
      for (const name of names) {
        await other.sql.unsafe(`drop owned by ${name}`);
        await other.sql.unsafe(`drop role ${name}`);
      }
      await other.sql.unsafe(`grant all on schema ${other.schema} to ${poor}`);
      const made = await other.sql.begin(async (tx) => {
        await tx.unsafe(`set local role ${poor}`);
        return await keepReader(tx, other.schema);
      });
      expect(made).toBe(false);
      const selected = await ownSelect(other, "select count(*) as n from events");
      expect(selected).toMatchObject({ isReader: false, rows: [{ n: "0" }] });
      // A role of that name which may do more is not used.
      await other.sql.unsafe(`create role ${names[1]} login createdb`);
      expect(await other.sql.begin((tx) => keepReader(tx, other.schema))).toBe(false);
      await other.sql.unsafe(`drop role ${names[1]}`);
      expect(await other.sql.begin((tx) => keepReader(tx, other.schema))).toBe(true);
      await closeScene(other);
      await store.sql.unsafe(`drop role ${poor}`);
    }, 60_000);

    it("are made by an owner who is no superuser, and has no way into them", async () => {
      const owned = `${store.schema}_owned`;
      const poor = `${store.schema}_owner`;
      await store.sql.unsafe(`create role ${poor} nologin createrole`);
      await store.sql.unsafe(`create schema ${owned} authorization ${poor}`);
      await store.sql.begin(async (tx) => {
        await tx.unsafe(`set local role ${poor}`);
        await tx.unsafe(`set local search_path to ${owned}`);
        for (const view of stableViews) await tx.unsafe(`create view ${view} as select 1 as one`);
        await tx.unsafe("create table events (secret text)");
        expect(await keepReader(tx, owned)).toBe(true);
        expect(await isReaderKept(tx, owned)).toBe(true);
        expect([...(await tx`select ask from ask('select one, current_user from users', 9)`)]).toEqual([
          { ask: `(1,${readerRoles(owned).asker})` },
        ]);
        await expect(tx.savepoint((inner) => inner`select ask('select * from events', 9)`)).rejects.toThrow(
          denied,
        );
      });
      const { reader, asker } = readerRoles(owned);
      await store.sql.unsafe(`drop schema ${owned} cascade`);
      await store.sql.unsafe(`drop role ${reader}, ${asker}, ${poor}`);
    });

    it("follow a swap of schemas, and leave the old one", async () => {
      const beside = await openScene(url());
      const before = `${store.schema}_before`;
      await store.sql.begin(async (tx) => {
        await tx.unsafe(`alter schema ${store.schema} rename to ${before}`);
        await tx.unsafe(`alter schema ${beside.schema} rename to ${store.schema}`);
        await moveReader(tx, store.schema, beside.schema, before);
      });
      expect(await isReaderKept(store.sql, store.schema)).toBe(true);
      expect(await ownSelect(store, "select * from users")).toMatchObject({ isReader: true, rows: [] });
      await expect(ownSelect(store, `select * from ${before}.users`)).rejects.toThrow(denied);
      const gone = Object.values(readerRoles(beside.schema));
      expect([
        ...(await store.sql`select rolname from pg_roles where rolname = any(${gone}::text[])`),
      ]).toEqual([]);
      await store.sql.unsafe(`drop schema ${before} cascade`);
      await beside.close();
    }, 60_000);
  });
}
