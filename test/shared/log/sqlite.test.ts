// What only the file can promise: it survives kill -9, is shared by processes, and stays bounded.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sqliteLog } from "../../../shared/log/sqlite.ts";
import { createOwner, waitMsMax } from "../../contract/log-owner.ts";
import { manualClock } from "../../support/clock.ts";
import { until } from "../../support/until.ts";

// Frames of a WAL that end a transaction: those that name the database's size (https://sqlite.org/walformat.html).
async function commitsIn(wal: string): Promise<number> {
  const bytes = await readFile(wal);
  const pageBytes = bytes.readUInt32BE(8);
  let commits = 0;
  for (let at = 32; at + 24 + pageBytes <= bytes.length; at += 24 + pageBytes) {
    if (bytes.readUInt32BE(at + 4) !== 0) commits += 1;
  }
  return commits;
}

const child = join(import.meta.dirname, "sqlite-child.ts");
const dayMs = 24 * 60 * 60 * 1000;

describe("the log in a SQLite file", () => {
  let folder: string;
  let file: string;
  const children: Bun.Subprocess<"ignore", "pipe", "inherit">[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "weir-log-"));
    file = join(folder, "log.sqlite");
  });
  afterEach(async () => {
    for (const one of children.splice(0)) {
      one.kill("SIGKILL");
      await one.exited;
    }
    await rm(folder, { recursive: true, force: true });
  });

  // Runs a role in another process; `lines` grows with what it prints.
  function spawn(role: "produce" | "consume"): { lines: string[]; kill(): Promise<unknown> } {
    const lines: string[] = [];
    const one = Bun.spawn([process.execPath, child, role, file], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    children.push(one);
    void (async () => {
      let rest = "";
      for await (const chunk of one.stdout.pipeThrough(new TextDecoderStream())) {
        const parts = (rest + chunk).split("\n");
        rest = parts.pop()!;
        lines.push(...parts);
      }
    })();
    return {
      lines,
      kill: () => {
        one.kill("SIGKILL");
        return one.exited;
      },
    };
  }

  async function created(options: Partial<Parameters<typeof sqliteLog>[1]> = {}) {
    const log = sqliteLog(file, { topic: "events", ...options });
    await log.create();
    return log;
  }

  it("holds every acked record after kill -9 of the process that wrote it", async () => {
    const log = await created();
    const writer = spawn("produce");
    await until("some records acked", waitMsMax, () => writer.lines.length >= 300);
    await writer.kill();
    const acked = writer.lines.map(Number);
    const reader = await log.reader();
    const { end } = (await reader.ranges()).get(0)!;
    const records = await Array.fromAsync(reader.read(0, 0n, end));
    await reader.close();
    const stored = records.map(({ value }) => Number(Buffer.from(value.subarray(0, 8)).readBigUInt64BE()));
    expect(records.map(({ offset }) => Number(offset))).toEqual(records.map((_, at) => at));
    expect(new Set(stored).isSupersetOf(new Set(acked))).toBe(true);
  });

  it("delivers to one process what another one writes", async () => {
    const log = await created();
    const owner = createOwner();
    const consumer = await log.consumer("aggregator");
    await consumer.run(owner);
    const writer = spawn("produce");
    await until("records of the other process", waitMsMax, () => owner.recordsOf(0).length >= 100);
    await writer.kill();
    await consumer.close();
    expect(owner.recordsOf(0)[0]!.offset).toBe(0n);
  });

  it("takes the group over at once from a process that was killed, and not from one that lives", async () => {
    const log = await created();
    const other = spawn("consume");
    await until("the other process owns it", waitMsMax, () => other.lines.includes("assigned 0"));
    const owner = createOwner();
    const consumer = await log.consumer("aggregator");
    await consumer.run(owner);
    expect(owner.owned()).toEqual([]);
    await other.kill();
    await until("taken over", 3_000, () => owner.owned().length === 1);
    await consumer.close();
  });

  it("writes publishes that wait together in one transaction", async () => {
    const log = await created();
    const producer = await log.producer();
    await producer.publish(0, new Uint8Array(1000));
    const before = await commitsIn(`${file}-wal`);
    await Promise.all(Array.from({ length: 1000 }, () => producer.publish(0, new Uint8Array(1000))));
    const commits = (await commitsIn(`${file}-wal`)) - before;
    await producer.close();
    expect(before).toBeGreaterThan(0);
    expect(commits).toBe(1);
  });

  it("drops records older than a week in steps and says where it begins now", async () => {
    const clock = manualClock();
    const log = await created({ clock, partitions: 2 });
    const fill = async (records: number): Promise<void> => {
      const producer = await log.producer();
      await Promise.all(Array.from({ length: records }, () => producer.publish(0, new Uint8Array(10))));
      await producer.publish(1, new Uint8Array(10));
      await producer.close();
    };
    await fill(450);
    await clock.advance(6 * dayMs);
    await fill(50);
    await clock.advance(1.5 * dayMs);
    const producer = await log.producer();
    const reader = await log.reader();
    const startOf = async (partition: number) => (await reader.ranges()).get(partition)!.start;
    const starts: bigint[] = [];
    while (starts.at(-1) !== 450n && starts.length < 1000) {
      starts.push(await startOf(0));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    // Never much at once, since the file is held and the process stands still meanwhile.
    const steps = starts.map((start, at) => Number(start - (starts[at - 1] ?? 0n)));
    expect(Math.max(...steps)).toBeLessThanOrEqual(100);
    expect(await reader.ranges()).toEqual(
      new Map([
        [0, { start: 450n, end: 500n }],
        [1, { start: 1n, end: 2n }],
      ]),
    );
    expect(await Array.fromAsync(reader.read(0, 0n, 500n))).toHaveLength(50);
    await reader.close();
    await producer.close();
  });

  it("rejects as not stored while another process holds the file, and stores again after", async () => {
    const log = await created();
    const producer = await log.producer();
    const { Database } = await import("bun:sqlite");
    const holder = new Database(file);
    holder.run("begin immediate");
    await expect(producer.publish(0, new Uint8Array(1))).rejects.toMatchObject({ failure: "not_stored" });
    holder.run("rollback");
    holder.close();
    await producer.publish(0, new Uint8Array(2));
    const reader = await log.reader();
    expect((await reader.ranges()).get(0)).toEqual({ start: 0n, end: 1n });
    await reader.close();
    await producer.close();
  });
});
