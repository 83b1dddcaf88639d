// What every store promises, whichever driver opened it.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { migrate } from "../../aggregator/store/migrate.ts";
import { openStore } from "../../aggregator/store/open.ts";
import type { Store, StoreFlavour } from "../../aggregator/store/store.ts";

const ownMigrations = join(import.meta.dirname, "../../sql/migrations");

export interface StoreUnderTest {
  url: string;
  flavour: StoreFlavour;
  /** What its password is, so that no message may show it; empty where it has none. */
  password: string;
}

/** Runs the contract on a store that `place` names. */
export function storeContract(title: string, place: () => StoreUnderTest): void {
  describe(`the store on ${title}`, () => {
    let store: Store;
    let folder: string;
    const open = (schema: string): Promise<Store> => openStore(place().url, { schema, dataDir: "" });

    beforeAll(async () => {
      store = await open("weir_contract");
    });
    beforeEach(async () => {
      await store.sql`drop schema if exists weir_contract cascade`;
      folder = mkdtempSync(join(tmpdir(), "weir-migrations-"));
      for (const file of readdirSync(ownMigrations)) {
        writeFileSync(join(folder, file), readFileSync(join(ownMigrations, file)));
      }
    });
    afterEach(() => rmSync(folder, { recursive: true, force: true }));
    afterAll(async () => {
      await store.sql`drop schema if exists weir_contract cascade`;
      await store.close();
    });

    it("says what it is", async () => {
      await migrate(store);
      expect(store.flavour).toBe(place().flavour);
      expect(store.serverVersion).toMatch(/^1[5678]\./);
      if (place().password !== "") expect(store.label).not.toContain(place().password);
    });

    it("keeps everything in its schema", async () => {
      const tables = () => store.sql`
        select n.nspname || '.' || c.relname as name
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'public' and c.relkind in ('r', 'p', 'v', 'm', 'S')
          and not exists (select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e')`;
      await migrate(store);
      expect([...(await tables())]).toEqual([]);
      const [events] = await store.sql`select to_regclass('weir_contract.events') is not null as made`;
      expect(events?.["made"]).toBe(true);
    });

    it("is migrated once, however many try at the same time", async () => {
      const others = await Promise.all([open("weir_contract"), open("weir_contract")]);
      const answers = await Promise.all([store, ...others].map((one) => migrate(one)));
      const names = [
        ...new Set(readdirSync(ownMigrations).map((file) => file.replace(/(\.timescale)?\.sql/, ""))),
      ];
      expect(answers.flatMap((answer) => answer.applied).sort()).toEqual(names.sort());
      expect(new Set(answers.map((answer) => answer.current)).size).toBe(1);
      expect((await migrate(store)).applied).toEqual([]);
      await Promise.all(others.map((one) => one.close()));
    });

    it("refuses a migration that was changed after it was applied, naming it", async () => {
      await migrate(store, { folder });
      writeFileSync(join(folder, "0006_moved_events.sql"), "select 1");
      await expect(migrate(store, { folder })).rejects.toMatchObject({
        code: "migration_changed",
        message: expect.stringContaining("0006_moved_events"),
      });
    });

    it("refuses a schema that is newer than the program", async () => {
      writeFileSync(join(folder, "9000_later.sql"), "create table later (a int)");
      expect((await migrate(store, { folder })).current).toBe("9000_later");
      await expect(migrate(store)).rejects.toMatchObject({
        code: "migration_newer",
        message: expect.stringContaining("9000_later"),
      });
    });

    it("undoes a migration that fails half-way", async () => {
      writeFileSync(join(folder, "9000_broken.sql"), "create table half (a int); select nonsense;");
      await expect(migrate(store, { folder })).rejects.toMatchObject({
        code: "migration_failed",
        message: expect.stringContaining("9000_broken"),
      });
      const [half] = await store.sql`select to_regclass('half') is not null as made`;
      expect(half?.["made"]).toBe(false);
      rmSync(join(folder, "9000_broken.sql"));
      expect((await migrate(store, { folder })).applied).toEqual([]);
    });

    it("answers again after its sessions were ended, in and between transactions", async () => {
      const session = await store.writer();
      for (let round = 0; round < 5; round += 1) {
        const broken = session.begin(async (tx) => {
          const [own] = await tx`select pg_backend_pid() as pid`;
          await store.sql`select pg_terminate_backend(${own?.["pid"]})`;
          await tx.savepoint((inner) => inner`select 1`);
          return await tx`select 2`;
        });
        await expect(broken).rejects.toThrow();
        expect((await session`select 1 as one`)[0]).toEqual({ one: 1 });
        const pool = store.sql.begin(async (tx) => {
          await tx`select pg_terminate_backend(pg_backend_pid())`;
        });
        await expect(pool).rejects.toThrow();
        expect((await store.sql`select 1 as one`)[0]).toEqual({ one: 1 });
      }
      await session.end();
    });

    it("rejects a transaction whose session ends while it waits for something else", async () => {
      const session = await store.writer();
      const idle = session.begin(async (tx) => {
        const [own] = await tx`select pg_backend_pid() as pid`;
        await store.sql`select pg_terminate_backend(${own?.["pid"]})`;
        await new Promise((resolve) => setTimeout(resolve, 100));
        return await tx`select 2`;
      });
      await expect(idle).rejects.toThrow();
      expect((await session`select 1 as one`)[0]).toEqual({ one: 1 });
      await session.end();
    });
  });
}
