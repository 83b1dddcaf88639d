// Faults of Redis, Kafka and PostgreSQL themselves: killed, hung, restarted, emptied, full.
import { execFileSync } from "node:child_process";
import { chownSync, closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { RedisClient } from "bun";
import type { Fault, Scene } from "./run-fault.ts";

type Name = "redis" | "kafka" | "postgres";

const stoppedMs = 12_000;
const awayMs = 2_000;
const fullMs = 6_000;

// Without a spool the log alone makes an event durable.
const mayRefuse = (name: Name): boolean => name === "kafka";

const ended = (name: Name, how: "kill" | "stop"): Fault => ({
  name: `${name}_${how === "kill" ? "kill" : "restart"}`,
  mayRefuse: mayRefuse(name),
  async strike({ world, strikes }) {
    strikes();
    await world[name][how]();
    await Bun.sleep(awayMs);
    await world[name].start();
  },
});

const frozen = (name: Name): Fault => ({
  name: `${name}_stop`,
  mayRefuse: mayRefuse(name),
  async strike({ world, strikes }) {
    strikes();
    world[name].freeze();
    await Bun.sleep(stoppedMs);
    world[name].thaw();
  },
});

async function asRedis(scene: Scene, ...commands: [string, string[]][]): Promise<void> {
  const client = new RedisClient(scene.world.redis.directUrl);
  try {
    for (const [command, words] of commands) await client.send(command, words);
  } finally {
    client.close();
  }
}

const flushed: Fault = {
  name: "redis_flushall",
  mayRefuse: false,
  async strike(scene) {
    scene.strikes();
    await asRedis(scene, ["FLUSHALL", []]);
  },
};

const outOfMemory: Fault = {
  name: "redis_maxmemory",
  mayRefuse: false,
  async strike(scene) {
    scene.strikes();
    await asRedis(scene, ["CONFIG", ["SET", "maxmemory", "1"]]);
    await Bun.sleep(fullMs);
    await asRedis(scene, ["CONFIG", ["SET", "maxmemory", "0"]]);
  },
};

// What is written to lies on a small disk, which is then filled to its last byte.
const diskFull: Fault = {
  name: "postgres_disk_full",
  mayRefuse: false,
  async prepare(scene) {
    const { disk, account } = scene.world.postgres;
    mkdirSync(disk.outside, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256m", "tmpfs", disk.outside]);
    mkdirSync(join(disk.outside, "tablespace"));
    for (const path of [disk.outside, join(disk.outside, "tablespace")])
      if (account !== undefined) chownSync(path, account, account);
    const { sql } = scene.world.store;
    await sql.unsafe(`create tablespace small_disk location '${join(disk.inside, "tablespace")}'`);
    await move(scene, "small_disk");
  },
  async strike(scene) {
    scene.strikes();
    const filler = join(scene.world.postgres.disk.outside, "filler");
    fill(filler);
    await Bun.sleep(fullMs);
    rmSync(filler);
  },
  async restore(scene) {
    await move(scene, "pg_default");
    await scene.world.store.sql`drop tablespace small_disk`;
    execFileSync("umount", [scene.world.postgres.disk.outside]);
  },
};

async function move(scene: Scene, tablespace: string): Promise<void> {
  const { sql, schema } = scene.world.store;
  const ours = sql`
    select c.oid::regclass::text as name from pg_class c
    where relnamespace = ${schema}::regnamespace and relkind = 'r' and (relname = 'ledger' or relispartition)`;
  const chunks = sql`
    select format('%I.%I', chunk_schema, chunk_name) as name from timescaledb_information.chunks
    where hypertable_schema = ${schema} and hypertable_name = 'events'`;
  const tables =
    scene.world.postgres.kind === "timescale" ? [...(await ours), ...(await chunks)] : await ours;
  for (const table of tables) await sql.unsafe(`alter table ${table["name"]} set tablespace ${tablespace}`);
}

function fill(path: string): void {
  const file = openSync(path, "w");
  try {
    for (const size of [1 << 20, 4096]) {
      try {
        for (;;) writeSync(file, Buffer.alloc(size));
      } catch (error) {
        if ((error as { code?: unknown }).code !== "ENOSPC") throw error;
      }
    }
  } finally {
    closeSync(file);
  }
}

export const serverFaults: readonly Fault[] = [
  ...(["redis", "kafka", "postgres"] as const).flatMap((name) => [
    ended(name, "kill"),
    ended(name, "stop"),
    frozen(name),
  ]),
  flushed,
  outOfMemory,
  diskFull,
];
