// The spool in files: append-only segments, dropped whole once the log has everything in them.
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { reach } from "../../shared/crash-point.ts";
import type { Logger } from "../../shared/logger.ts";
import { frameBytes, packFrame, type SpoolFrame, scanSegment } from "../../shared/spool/frame.ts";
import { type FoundSegment, lockFolder, recover, syncFolder, writeDurably } from "./recover.ts";
import { type Spool, SpoolError } from "./spool.ts";

export interface FileSpoolOptions {
  dir: string;
  bytesMax: number;
  /** The name that a new folder gets. */
  name: string;
  logger: Logger;
  /** A segment is closed once it is this large: what one read of the drain holds in memory. */
  segmentBytes?: number;
}

interface Waiting {
  frame: SpoolFrame;
  packed: Uint8Array;
  resolve(): void;
  reject(error: SpoolError): void;
}

const segmentBytesDefault = 8 * 1024 * 1024;

/** Opens the folder, making it where it is missing. Throws where another process has it. */
export function openFileSpool(options: FileSpoolOptions): Spool {
  const { dir, bytesMax, logger, segmentBytes = segmentBytesDefault } = options;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const unlock = lockFolder(dir);
  const name = nameOf(dir, options.name);
  const { segments, cutBytes, damaged } = recover(dir);
  if (cutBytes > 0) logger.error("spool_tail_cut", { bytes: cutBytes });
  for (const file of damaged) logger.error("spool_damaged", { file });

  let next = (segments.at(-1)?.number ?? 0) + 1;
  let used = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  let active: { handle: FileHandle; segment: FoundSegment } | undefined;
  let queue: Waiting[] = [];
  let running: Promise<void> | undefined;
  let isClosed = false;

  const pathOf = (number: number): string => join(dir, `${String(number).padStart(12, "0")}.spool`);

  async function begin(): Promise<{ handle: FileHandle; segment: FoundSegment }> {
    const number = next;
    next += 1;
    const handle = await open(pathOf(number), "wx", 0o600);
    active = { handle, segment: { number, bytes: 0, records: 0, events: 0, since: 0 } };
    syncFolder(dir);
    return active;
  }

  // One write and one fsync for all that waited meanwhile.
  async function run(): Promise<void> {
    while (queue.length > 0) {
      const group = queue;
      queue = [];
      try {
        const { handle, segment } = active ?? (await begin());
        await handle.appendFile(Buffer.concat(group.map(({ packed }) => packed)));
        reach("spool_append");
        await handle.datasync();
        enter(segment, group);
        for (const { resolve } of group) resolve();
        if (segment.bytes >= segmentBytes) await seal();
      } catch (cause) {
        await abandon();
        for (const { packed, reject } of group) {
          used -= packed.length;
          reject(new SpoolError("the spool's disk took nothing", { cause }));
        }
      }
    }
    running = undefined;
  }

  function enter(segment: FoundSegment, group: readonly Waiting[]): void {
    if (segment.records === 0) {
      segment.since = group[0]!.frame.time;
      segments.push(segment);
    }
    for (const { frame, packed } of group) {
      segment.bytes += packed.length;
      segment.records += 1;
      segment.events += frame.events;
    }
  }

  async function seal(): Promise<void> {
    const handle = active?.handle;
    active = undefined;
    await handle?.close();
  }

  // What may lie half-written behind the last whole frame is cut, and the next append begins a new file.
  async function abandon(): Promise<void> {
    if (active === undefined) return;
    const { handle, segment } = active;
    active = undefined;
    await handle.truncate(segment.bytes).catch(() => undefined);
    await handle.close().catch(() => undefined);
    if (segment.records === 0) await rm(pathOf(segment.number), { force: true }).catch(() => undefined);
  }

  return {
    name,
    held: () => ({
      records: segments.reduce((sum, segment) => sum + segment.records, 0),
      events: segments.reduce((sum, segment) => sum + segment.events, 0),
      bytes: used,
      since: segments[0]?.since,
    }),
    hasRoom: (bytes) => !isClosed && used + bytes + frameBytes <= bytesMax,
    append(frame) {
      const packed = packFrame(frame);
      if (isClosed || used + packed.length > bytesMax) {
        return Promise.reject(new SpoolError(isClosed ? "the spool is closed" : "the spool is full"));
      }
      used += packed.length;
      return new Promise((resolve, reject) => {
        queue.push({ frame, packed, resolve, reject });
        running ??= Promise.resolve().then(run);
      });
    },
    async oldest() {
      if (segments[0] !== undefined && segments[0] === active?.segment) {
        while (running !== undefined) await running;
        if (segments[0] === active?.segment) await seal();
      }
      const [segment] = segments;
      if (segment === undefined) return undefined;
      const { frames } = scanSegment(readFileSync(pathOf(segment.number)).subarray(0, segment.bytes));
      if (frames.length < segment.records) logger.error("spool_damaged", { file: pathOf(segment.number) });
      return { number: segment.number, frames };
    },
    async drop({ number, frames }) {
      const at = segments.findIndex((segment) => segment.number === number);
      const segment = segments[at];
      if (segment === undefined) return;
      // Where not everything could be read back, the file is kept as it is, under another name.
      const isWhole = frames.length === segment.records;
      if (!isWhole) writeDurably(`${pathOf(number)}.damaged`, readFileSync(pathOf(number)));
      await rm(pathOf(number), { force: true });
      segments.splice(at, 1);
      used -= segment.bytes;
    },
    async keepAside({ number, frames }, frame) {
      const file = `${pathOf(number)}.${frames.indexOf(frame)}.refused.damaged`;
      writeDurably(file, packFrame(frame));
      logger.error("spool_record_refused", { file, bytes: frame.record.length });
    },
    async close() {
      isClosed = true;
      while (running !== undefined) await running;
      await seal();
      unlock();
    },
  };
}

function nameOf(dir: string, name: string): string {
  const file = join(dir, "name");
  if (!existsSync(file)) writeDurably(file, new TextEncoder().encode(name));
  return readFileSync(file, "utf8").trim();
}
