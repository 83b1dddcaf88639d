// One command moves a store from plain PostgreSQL to TimescaleDB, beside its writers and whenever it is killed.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { eraseSubject } from "../../aggregator/lifecycle/remove.ts";
import { models } from "../../aggregator/model/models.ts";
import { recompute } from "../../aggregator/model/recompute.ts";
import { ownSelect } from "../../aggregator/read/own-select.ts";
import { sumTables } from "../../aggregator/replay/checksum.ts";
import { inSnapshot } from "../../aggregator/replay/snapshot.ts";
import { upgradeStore } from "../../aggregator/store/flavour.ts";
import { migrate } from "../../aggregator/store/migrate.ts";
import { openStore } from "../../aggregator/store/open.ts";
import { readerRoles } from "../../aggregator/store/reader.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { systemClock } from "../../shared/clock.ts";
import type { ServiceName } from "../services/setup.ts";
import { foldAll } from "../support/fold-all.ts";
import { openProcesses } from "../support/processes.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { noon, recordOf, type Sketch } from "./records.ts";
import { closeScene, countRows, type Hand, openHand, openScene } from "./scene.ts";

const day = 86_400_000;
const minutes = 180_000;
const schema = "weir_moved";
const sketch = (at: number, part: Partial<Sketch> = {}): Sketch => ({
  name: `f-${at}`,
  at: noon - (at % 9) * day,
  fields: { userId: `u-${at % 7}` },
  ...part,
});
const range = (from: number, to: number): Sketch[] =>
  Array.from({ length: to - from }, (_, at) => sketch(from + at));

const editions: [name: ServiceName, flavour: string][] = [
  ["timescale", "timescale-apache"],
  ["timescale_community", "timescale-community"],
];

for (const [service, flavour] of editions) {
  describeWith([service], `a plain store that is moved to ${flavour}`, () => {
    let admin: Sql;
    let name: string;
    let url: string;
    let store: Store;
    let hand: Hand;
    beforeAll(() => {
      admin = postgres(serviceUrl(service), { max: 1, onnotice: () => {} });
    });
    afterAll(() => admin.end());
    // Who may not make extensions has a plain store, until somebody who may makes it for them.
    beforeEach(async () => {
      name = `weir_${randomBytes(4).toString("hex")}`;
      await admin.unsafe(`create role ${name} login`);
      await admin.unsafe(`create database ${name} template template0`);
      const own = new URL(serviceUrl(service));
      own.username = name;
      own.pathname = `/${name}`;
      url = own.href;
      await inDatabase(`create schema ${schema} authorization ${name}`);
      store = await openStore(url, { schema, dataDir: "" });
      await migrate(store);
      expect(store.flavour).toBe("postgresql");
      hand = await openHand(store);
    }, minutes);
    afterEach(async () => {
      await hand.close();
      await store.close();
      await admin.unsafe(`drop database ${name} with (force)`);
      await admin.unsafe(`drop role ${name}`);
    }, minutes);

    const inDatabase = async (text: string): Promise<void> => {
      const place = new URL(serviceUrl(service));
      place.pathname = `/${name}`;
      const sql = postgres(place.href, { max: 1, onnotice: () => {} });
      await sql.unsafe(text);
      await sql.end();
    };
    const offer = () => inDatabase("create extension timescaledb with schema public");
    const upgrade = () => upgradeStore({ store, clock: systemClock, actor: "t" });
    const copies = async (): Promise<number> => {
      const [row] = await store.sql`select (count(*) - count(distinct id))::int as twice from events`;
      return row!["twice"];
    };

    it("keeps every row while events go on to come, late, twice and with other contents", async () => {
      await hand.write(0, recordOf(range(0, 900)));
      await foldAll(store);
      await offer();
      const other = await openStore(url, { schema, dataDir: "" });
      const another = await openHand(other);
      let isOver = false;
      let next = 900;
      const writing = (async () => {
        while (!isOver) {
          const changed = sketch(next, { content: `not that of ${next}` });
          await another.write(0, recordOf([...range(next - 50, next + 50), changed]));
          next += 50;
        }
      })();
      const upgraded = await upgrade().finally(() => {
        isOver = true;
      });
      await writing;
      expect(upgraded).toMatchObject({ from: "postgresql", to: flavour });
      // This process was told by nobody: its next new month is a chunk and no partition.
      const months = { name: "months ago", at: noon - 70 * day };
      expect(await another.write(1, recordOf([months, ...range(0, 400)]))).toMatchObject({
        stored: 1,
        duplicate: 400,
      });
      expect(other.flavour).toBe(flavour);
      expect(await countRows(store, "events")).toBe(next + 1);
      expect(await copies()).toBe(0);
      const erasure = { project: "p", actor: "t", kind: "user_id", id: "u-3", until: noon + day } as const;
      expect((await eraseSubject(other, erasure)).rows).toBeGreaterThan(100);
      await foldAll(store);
      const session = await store.writer();
      const span = { from: new Date(noon - day).toISOString().slice(0, 10), to: "2099-01-01" };
      expect(await recompute({ session, models, clock: systemClock, ...span })).toMatchObject({
        changed: [],
      });
      await another.close();
      await other.close();
    }, 180_000);

    it("is afterwards what a new store is, and is not moved again", async () => {
      await store.sql.unsafe(`grant select on users to public`);
      await store.sql.unsafe(`grant select on events to public`);
      await store.sql.unsafe(`grant select on raw_events to public`);
      await offer();
      await upgrade();
      expect(await upgrade()).toMatchObject({ from: flavour, to: flavour, rows: 0 });
      expect((await migrate(store)).applied).toEqual([]);
      const fresh = await openScene(serviceUrl(service));
      try {
        expect(await shapeOf(store)).toEqual(await shapeOf(fresh));
      } finally {
        await closeScene(fresh);
      }
      const granted = await store.sql`
        select table_name from information_schema.role_table_grants
        where grantee = 'PUBLIC' and table_schema = ${schema} order by 1`;
      expect(granted.map((row) => row["table_name"])).toEqual(["events", "raw_events", "users"]);
    }, 180_000);

    it("has its single events under the same view for the same readers, who see no table", async () => {
      await hand.write(0, recordOf(range(0, 30)));
      // The owner may make no roles; somebody who may has made them, and the command has no way to make them anew.
      const place = new URL(serviceUrl(service));
      place.pathname = `/${name}`;
      const admins = await openStore(place.href, { schema, dataDir: "" });
      const { reader, asker } = readerRoles(schema);
      try {
        await migrate(admins);
        const asked = "select event_id, event_time, payload from raw_events order by event_time, event_id";
        const before = await ownSelect(admins, asked);
        expect({ isReader: before.isReader, rows: before.rows.length }).toEqual({ isReader: true, rows: 30 });
        await offer();
        await upgrade();
        expect(store.flavour).toBe(flavour);
        expect(await ownSelect(admins, asked)).toEqual(before);
        await expect(ownSelect(admins, "select * from events")).rejects.toThrow(/permission denied/);
      } finally {
        await admins.close();
        await inDatabase(`drop owned by ${reader}, ${asker}; drop role ${reader}, ${asker}`);
      }
    }, 180_000);

    it("is the old one or the new one wherever the command is killed, and goes on when it is run again", async () => {
      const folder = mkdtempSync(join(tmpdir(), "weir-flavour-"));
      const processes = openProcesses();
      const settings = { WEIR_STORE_URL: url, WEIR_STORE_SCHEMA: schema, WEIR_DATA_DIR: folder };
      try {
        await hand.write(0, recordOf(range(0, 900)));
        await offer();
        const before = await inSnapshot(store, sumTables);
        for (const point of ["store_day:3", "store_day:12", "store_swap:1"]) {
          const killed = await processes.run(["upgrade-store"], { ...settings, WEIR_TEST_CRASH_AT: point });
          expect(killed.code, killed.said).toBe(null);
          expect(await inSnapshot(store, sumTables)).toEqual(before);
          await store.inspect();
          expect(store.flavour).toBe("postgresql");
        }
        // What came and went since is not what was copied then.
        await store.sql`delete from events where event_id in ('f-0', 'f-1')`;
        expect(await hand.write(0, recordOf(range(0, 902)))).toMatchObject({ stored: 4 });
        const done = await processes.run(["upgrade-store", "--json"], settings);
        expect(done, done.said).toMatchObject({
          code: 0,
          result: { from: "postgresql", to: flavour, rows: 902 },
        });
        expect(await copies()).toBe(0);
        const [left] = await store.sql`
          select count(*)::int as left from pg_class
          where relnamespace = ${schema}::regnamespace and (relispartition or relname like '%next%')`;
        expect(left).toEqual({ left: 0 });
      } finally {
        await processes.close();
        rmSync(folder, { recursive: true, force: true });
      }
    }, 180_000);
  });
}

describeWith(["postgres"], "a server without TimescaleDB", () => {
  it("says so, and leaves the store as it is", async () => {
    const store = await openScene(serviceUrl("postgres"));
    const answer = upgradeStore({ store, clock: systemClock, actor: "t" });
    await expect(answer).rejects.toMatchObject({ code: "extension_missing" });
    expect(store.flavour).toBe("postgresql");
    await closeScene(store);
  });
});

// Everything in a schema as text, without its name.
async function shapeOf(store: Store): Promise<string[]> {
  const rows = await store.sql<{ line: string }[]>`
    select concat_ws(' ', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
      pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)) as line
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p', 'v')
    union all
    select concat_ws(' ', c.relname, c.relkind, obj_description(c.oid, 'pg_class'), array_to_string(c.reloptions, ','),
      case c.relkind when 'i' then pg_get_indexdef(c.oid) when 'v' then pg_get_viewdef(c.oid) end)
    from pg_class c
    where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p', 'v', 'i', 'I', 'S')
    union all
    select concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
    from pg_constraint
    where connamespace = current_schema()::regnamespace
    union all
    select concat_ws(' ', name, variant, checksum) from schema_migrations`;
  // A continuous aggregate has a number of its own.
  const plain = (line: string): string =>
    line.replaceAll(`${store.schema}.`, "").replaceAll(/(hypertable_|watermark\()\d+/g, "$1");
  return rows.map(({ line }) => plain(line)).sort();
}
