// The spool: what lies on the disk is found again whole, wherever the end came, and reaches the log in order.
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { createMemoryClaims } from "../../../collector/claims/memory.ts";
import { createCollect } from "../../../collector/collect.ts";
import { createPublisher } from "../../../collector/publish.ts";
import { createReceipts } from "../../../collector/receipt.ts";
import { createSettler } from "../../../collector/settle.ts";
import { startDrain } from "../../../collector/spool/drain.ts";
import { openFileSpool } from "../../../collector/spool/files.ts";
import { systemClock } from "../../../shared/clock.ts";
import { frameBytes } from "../../../shared/spool/frame.ts";
import { readSpool } from "../../../shared/spool/read.ts";
import { batchOf, fakeLog } from "../batches.ts";

const folders: string[] = [];
const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), "weir-spool-"));
  folders.push(dir);
  return dir;
};
afterEach(() => {
  for (const dir of folders.splice(0)) rmSync(dir, { recursive: true });
});

const logger = { error: () => {} } as never;
const open = (dir: string, bytesMax = 1_000_000) => openFileSpool({ dir, bytesMax, name: "west", logger });
const frame = (byte: number, size = 40) => ({
  partition: byte,
  events: 3,
  time: 1_700_000_000_000 + byte,
  record: new Uint8Array(size).fill(byte),
});
const segmentsOf = (dir: string): string[] => readdirSync(dir).filter((name) => name.endsWith(".spool"));

async function contents(dir: string): Promise<number[]> {
  const spool = open(dir);
  const found: number[] = [];
  for (let segment = await spool.oldest(); segment !== undefined; segment = await spool.oldest()) {
    for (const { partition, record } of segment.frames) {
      expect(new Uint8Array(record)).toEqual(frame(partition).record);
      found.push(partition);
    }
    await spool.drop(segment);
  }
  await spool.close();
  return found;
}

describe("a spool", () => {
  it("cut at any byte keeps every whole record before it, and reads no half one", async () => {
    const dir = folder();
    const spool = open(dir);
    for (const byte of [1, 2, 3]) await spool.append(frame(byte));
    await spool.close();
    const [name] = segmentsOf(dir) as [string];
    const bytes = readFileSync(join(dir, name));
    expect(bytes.length).toBe(3 * (frameBytes + 40));
    for (let length = 0; length <= bytes.length; length += 1) {
      writeFileSync(join(dir, name), bytes);
      truncateSync(join(dir, name), length);
      const whole = Math.floor(length / (frameBytes + 40));
      expect(await contents(dir)).toEqual([1, 2, 3].slice(0, whole));
    }
    expect(readdirSync(dir).filter((file) => file.endsWith(".damaged"))).toEqual([]);
  });

  it("damaged in its middle keeps the rest, and the damaged part in a file of its own", async () => {
    const dir = folder();
    const spool = open(dir);
    for (const byte of [1, 2, 3]) await spool.append(frame(byte));
    await spool.close();
    const [name] = segmentsOf(dir) as [string];
    const bytes = readFileSync(join(dir, name));
    bytes[frameBytes + 40 + frameBytes + 5]! ^= 255;
    writeFileSync(join(dir, name), bytes);
    expect(await contents(dir)).toEqual([1, 3]);
    expect((await readSpool(dir)).unreadable).toBe(1);
  });

  it("refuses what is over its limit, and takes again once something was dropped", async () => {
    const spool = open(folder(), 200);
    await spool.append(frame(1));
    await spool.append(frame(2));
    await expect(spool.append(frame(3))).rejects.toThrow("full");
    await spool.drop((await spool.oldest())!);
    await spool.append(frame(3));
    expect(spool.held()).toMatchObject({ records: 1, events: 3, bytes: frameBytes + 40 });
    await spool.close();
  });

  it("belongs to one at a time, and keeps its name", async () => {
    const dir = folder();
    const spool = open(dir);
    expect(() => open(dir)).toThrow("another process");
    await spool.close();
    const next = openFileSpool({ dir, bytesMax: 1000, name: "east", logger });
    expect(next.name).toBe("west");
    await next.close();
  });
});

describe("a collector whose log is down", () => {
  const station = (dir: string, start: number) => {
    const log = fakeLog();
    const spool = open(dir);
    const settler = createSettler(createMemoryClaims({ clock: systemClock }));
    const receipts = createReceipts("west", start);
    const { producer } = log;
    const drain = startDrain({ spool, producer, receipts, settler, clock: systemClock });
    const overflow = { spool, drain, now: Date.now };
    const publisher = createPublisher({ producer, receipts, overflow });
    const claims = createMemoryClaims({ clock: systemClock });
    const collect = createCollect({ claims, publisher, settler, clock: systemClock });
    return { log, spool, drain, collect };
  };

  it("answers that it spooled, and brings the same record to the log later", async () => {
    const dir = folder();
    const { log, spool, drain, collect } = station(dir, 1);
    log.fail("not_stored");
    for (const id of [1, 2, 3]) {
      expect(await collect(batchOf(id, [{ identity: id }]))).toMatchObject({ spooled: true });
    }
    const looked = await readSpool(dir);
    expect([looked.batches.size, looked.receipts.map(({ number }) => number)]).toEqual([3, [0, 1, 2]]);
    log.fail(undefined);
    await expect.poll(() => spool.held().records, { timeout: 8000 }).toBe(0);
    expect(log.records.map(({ record }) => record.receipt.number)).toEqual([0, 1, 2]);
    const after = await collect(batchOf(4, [{ identity: 4 }]));
    expect(after.spooled).toBeUndefined();
    expect(log.records.at(-1)?.record.receipt).toMatchObject({ number: 3, lowestOpen: 3 });
    await drain.stop(100);
    await spool.close();
  });

  it("leaves what stays to the next start on its folder", async () => {
    const dir = folder();
    const first = station(dir, 1);
    first.log.fail("unknown");
    await first.collect(batchOf(1, [{ identity: 1 }]));
    await first.drain.stop(50);
    expect(first.spool.held().records).toBe(1);
    await first.spool.close();
    const second = station(dir, 2);
    await expect.poll(() => second.log.records.length, { timeout: 8000 }).toBe(1);
    expect(second.log.records[0]?.record.receipt).toMatchObject({ start: 1, number: 0 });
    await second.drain.stop(1000);
    expect(second.spool.held().records).toBe(0);
    await second.spool.close();
  });
});
