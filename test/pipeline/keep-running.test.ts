// README, "Keep it running": its very commands back up, restore, upgrade, move, repair and remove a store.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { afterAll, beforeAll, expect, it } from "vitest";
import { migrate } from "../../aggregator/store/migrate.ts";
import { openStore } from "../../aggregator/store/open.ts";
import { findPrograms } from "../services/postgres.ts";
import { openProcesses } from "../support/processes.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { until } from "../support/until.ts";

const root = join(import.meta.dirname, "../..");
const readme = readFileSync(join(root, "README.md"), "utf8");
const section = /## Keep it running\n([\s\S]*?)\n## /.exec(readme)?.[1] ?? "";
/** The commands by the bold word they stand under, without their remarks. */
const commands = new Map<string, string[]>();
for (const [, heading, text] of section.matchAll(/\n\*\*(\w[\w ]*)\*\*[\s\S]*?```sh\n([\s\S]*?)```/g)) {
  const lines = text!.trimEnd().split("\n");
  commands.set(
    heading!,
    lines.map((line) => line.replace(/ +#.*$/, "")),
  );
}

const minutes = 10 * 60_000;

describeWith(["postgres"], "the README's way to keep it running", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-keep-"));
  const processes = openProcesses();
  const databases: string[] = [];
  const ran = new Set<string>();
  let admin: postgres.Sql;
  beforeAll(() => {
    symlinkSync(join(root, "weir"), join(folder, "weir"));
    admin = postgres(serviceUrl("postgres"), { max: 1, onnotice: () => {} });
  });
  afterAll(async () => {
    await processes.close();
    for (const name of databases) await admin.unsafe(`drop database if exists ${name} with (force)`);
    await admin.end();
    rmSync(folder, { recursive: true, force: true });
  });

  async function newDatabase(): Promise<string> {
    const name = `weir_keep_${randomBytes(4).toString("hex")}`;
    databases.push(name);
    await admin.unsafe(`create database ${name}`);
    const url = new URL(serviceUrl("postgres"));
    url.pathname = `/${name}`;
    return url.href;
  }

  /** Runs the heading's command that has this in it, as a shell would in the folder; rejects unless it ends with 0. */
  async function run(heading: string, part: string, env: Record<string, string> = {}): Promise<string> {
    const command = commands.get(heading)?.find((line) => line.includes(part));
    if (command === undefined) throw new Error(`README has no ${part} under ${heading}`);
    ran.add(command);
    return await shell(command.replace(/'postgres:[^']*…[^']*'/, '"$MOVED_URL"'), env);
  }

  function shell(command: string, env: Record<string, string>): Promise<string> {
    const { HOME = "", PATH = "" } = process.env;
    const full = { HOME, PATH: `${findPrograms()}:${PATH}`, ...env };
    return new Promise((resolve, reject) => {
      execFile("bash", ["-c", command], { cwd: folder, env: full }, (error, told, said) => {
        if (error === null) resolve(told);
        else reject(new Error(`${command} ended with ${error.code}: ${told}${said}`));
      });
    });
  }

  const events = (from: number, to: number): string => {
    const file = join(folder, `events-${from}.ndjson`);
    const lines = Array.from({ length: to - from }, (_, at) =>
      JSON.stringify({ event_id: `e-${from + at}`, type: "t", user_id: "u", timestamp: Date.now() - 60_000 }),
    );
    writeFileSync(file, lines.join("\n"));
    return file;
  };
  const reconciled = async (env: Record<string, string>): Promise<Record<string, number>> =>
    JSON.parse((await shell("./weir reconcile --json", env)).trimEnd().split("\n").at(-1)!);

  it("has its commands under headings", () => {
    expect([...commands.keys()]).toEqual([
      "Back up",
      "Restore",
      "Upgrade",
      "Move",
      "Repair",
      "Look back",
      "Remove",
    ]);
  });

  it(
    "backs up and restores a store, which then takes from the log what is newer",
    async () => {
      const env = { WEIR_STORE_URL: await newDatabase(), WEIR_DATA_DIR: join(folder, "served") };
      await shell(`./weir import ${events(0, 40)}`, env);
      await run("Back up", "pg_dump", env);
      await run("Back up", "--into embedded:backup-db", env);
      await shell(`./weir import ${events(40, 60)}`, env);
      for (const restore of ["psql", "--from embedded:backup-db"]) {
        const restored = { ...env, WEIR_STORE_URL: await newDatabase() };
        await run("Restore", restore, restored);
        if (restore === "psql") await run("Restore", "migrate", restored);
        expect(await reconciled(restored)).toMatchObject({ ok: true, stored: 40, in_flight: 20 });
        const { WEIR_STORE_URL, WEIR_DATA_DIR } = restored;
        const aggregator = await processes.start("aggregator", { WEIR_STORE_URL, WEIR_DATA_DIR });
        await until("it has caught up", 60_000, async () => (await reconciled(restored))["in_flight"] === 0);
        expect(await run("Restore", "reconcile", restored)).toContain("stored 60");
        await aggregator.stop();
      }
      await run("Remove", "drop schema", env);
      expect(await admin`select 1 from pg_namespace where nspname = 'weir'`).toHaveLength(0);
    },
    minutes,
  );

  it(
    "upgrades a store that an older version made and filled",
    async () => {
      const env = { WEIR_STORE_URL: await newDatabase(), WEIR_DATA_DIR: join(folder, "upgraded") };
      await fillOld(env.WEIR_STORE_URL);
      expect(await run("Upgrade", "migrate", env)).toContain("0018_removed_streams");
      await shell("./weir keys create", env);
      await run("Upgrade", "doctor", { ...env, WEIR_LOG_ALLOW_WEAK: "1" });
      await shell(`./weir import ${events(60, 70)}`, env);
      expect(await reconciled(env)).toMatchObject({ ok: true, stored: 12, quarantined: 1 });
      const shown = await shell("./weir quarantine show 1 --json", env);
      expect(shown).toContain('"reason":"unknown_field"');
    },
    minutes,
  );

  /** What a version before streams, replays and retention would have left: two events, and one refused. */
  async function fillOld(url: string): Promise<void> {
    const older = join(folder, "migrations");
    mkdirSync(older);
    for (const file of readdirSync(join(root, "sql/migrations")).filter((name) => name < "0010")) {
      cpSync(join(root, "sql/migrations", file), join(older, file));
    }
    const store = await openStore(url, { schema: "weir", dataDir: folder });
    try {
      await migrate(store, { folder: older });
      await store.sql.unsafe(`
        create table events_2026_01 partition of events for values from ('2026-01-01') to ('2026-02-01');
        insert into events (
          id, event_time, received_at, fingerprint, version, flags, identity, project_id, type, stream_id, seq,
          payload, context, metadata
        )
        select
          (lpad(to_hex(ms), 12, '0') || '7000800000000000000' || n)::uuid, to_timestamp(ms / 1000.0), now(), n, 1, 0,
          'event_id', 'default', 't', 's-1', n, '{}', '{}', '{}'
        from (select n, 1767268800000 + n as ms from generate_series(1, 2) n) made;
        insert into quarantine (
          batch_id, index, project_id, identity_hash, fingerprint, station, version, reason, pointer, detail,
          original, received_at
        )
        values (gen_random_uuid(), 0, 'default', '\\x00', 0, 'edge', 1, 'unknown_field', '/x', '', '{}', now());
        insert into ledger (
          batch_id, project_id, received_at, log_id, partition, log_offset, collector, collector_start,
          collector_number, received, published, duplicate_claimed, refused, refused_duplicate, stored,
          duplicate_stored, conflict, expired, erased, weak, digest
        )
        values (gen_random_uuid(), 'default', now(), 'an older log', 0, 0, 'c', 1, 0, 3, 2, 0, 1, 0, 2, 0, 0, 0, 0, 0, '\\x00')`);
    } finally {
      await store.close();
    }
  }

  it(
    "copies, moves, repairs and removes an embedded store",
    async () => {
      await shell(`./weir import ${events(70, 100)}`, {});
      await run("Back up", "cp -a");
      expect(await reconciled({ WEIR_DATA_DIR: join(folder, "backup") })).toMatchObject({
        ok: true,
        stored: 30,
      });
      const moved = { MOVED_URL: await newDatabase() };
      expect(await run("Move", "--from embedded:", moved)).toContain("equal: true");
      expect(await reconciled({ WEIR_STORE_URL: moved.MOVED_URL })).toMatchObject({ ok: true, stored: 30 });
      const store = await openStore("embedded:", { schema: "weir", dataDir: join(folder, ".weir") });
      await store.sql`delete from events where event_id in ('e-70', 'e-80')`.finally(() => store.close());
      expect(await run("Repair", "--into embedded:")).toContain("2 rows restored");
      expect(await run("Repair", "--schema weir_two")).toContain("equal: true");
      expect(await run("Repair", "--swap")).toContain("swapped; the old schema is weir_until_");
      expect(await reconciled({})).toMatchObject({ ok: true, stored: 30 });
      expect(await run("Look back", "audit")).toMatch(/ {2}swap {2}weir_until_\w+ .*\n.* {2}restore /);
      await run("Remove", "rm -r");
      expect(existsSync(join(folder, ".weir"))).toBe(false);
    },
    minutes,
  );

  it("names no command that was not run here", () => {
    expect([...commands.values()].flat().filter((command) => !ran.has(command))).toEqual([]);
  });
});
