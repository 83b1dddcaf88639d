// How far an import came, kept on disk, so that a killed one goes on where it was without a doubt.
import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeId } from "../../shared/event/identity.ts";

/** One run of one file. Batch ids follow from `run`, so a part sent again is the batch it was before. */
export interface Checkpoint {
  /** 16 random bytes in hex. */
  run: string;
  /** When the run began, epoch ms: the time of its batch ids, and when all its events count as received. */
  startedAt: number;
  /** Every part below this number is acknowledged. */
  acked: number;
  /** Parts that became more than one batch: their number and how many batches. */
  split: [number, number][];
}

export interface CheckpointFile {
  path: string;
  checkpoint: Checkpoint;
  /** Whether an earlier run left it. */
  isResumed: boolean;
  save(): void;
  remove(): void;
}

/**
 * Opens the checkpoint of `key`, or makes one. A new one is on disk for good when this returns: were it
 * lost, a second run could not know the first run's batches. Later saves may be lost to a power cut, which
 * costs parts sent again under their old ids, and nothing else.
 */
export function openCheckpoint(folder: string, key: string, nowMs: number): CheckpointFile {
  const path = join(folder, `import-${key}.json`);
  const left = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Checkpoint) : undefined;
  const checkpoint = left ?? { run: randomBytes(16).toString("hex"), startedAt: nowMs, acked: 0, split: [] };
  if (left === undefined) {
    mkdirSync(folder, { recursive: true });
    write(path, checkpoint, true);
  }
  return {
    path,
    checkpoint,
    isResumed: left !== undefined,
    save: () => write(path, checkpoint, false),
    remove: () => rmSync(path, { force: true }),
  };
}

function write(path: string, checkpoint: Checkpoint, forGood: boolean): void {
  const aside = `${path}.new`;
  const file = openSync(aside, "w", 0o600);
  writeSync(file, JSON.stringify(checkpoint));
  if (forGood) fsyncSync(file);
  closeSync(file);
  renameSync(aside, path);
  if (!forGood) return;
  const folder = openSync(dirname(path), "r");
  fsyncSync(folder);
  closeSync(folder);
}

const sampleBytes = 64 * 1024;
const samples = 32;

/**
 * What names an import: the file's size and 32 samples of its bytes, spread evenly, and all that decides
 * which events it gives. A file of up to 2 MiB is read whole. Neither name nor age counts, so a moved
 * file goes on too; an edit that no sample meets gives batches other than their ids say, which the store
 * keeps apart and alarms about.
 */
export async function checkpointKey(file: string, decides: readonly unknown[]): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(decides));
  const handle = await open(file, "r");
  try {
    const { size } = await handle.stat();
    hash.update(String(size));
    const step = Math.max(sampleBytes, Math.floor((size - sampleBytes) / (samples - 1)));
    const buffer = new Uint8Array(sampleBytes);
    for (let at = 0; at < size; at += step) {
      const { bytesRead } = await handle.read(buffer, 0, sampleBytes, at);
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
  return hash.digest("hex").slice(0, 32);
}

/** The id of batch `piece` of part `part`: a UUIDv7 of the run's beginning and a hash of its place. */
export function partBatchId(checkpoint: Checkpoint, part: number, piece: number): Uint8Array {
  const hash = createHash("sha256").update(`${checkpoint.run}:${part}:${piece}`).digest();
  const id = new Uint8Array(16);
  writeId(id, 0, checkpoint.startedAt, hash);
  return id;
}

/** Every batch id of parts 0 to `parts` − 1, in order, some at a time. */
export function* runBatchIds(checkpoint: Checkpoint, parts: number, atOnce: number): Generator<Uint8Array[]> {
  const pieces = new Map(checkpoint.split);
  let ids: Uint8Array[] = [];
  for (let part = 0; part < parts; part += 1) {
    for (let piece = 0; piece < (pieces.get(part) ?? 1); piece += 1)
      ids.push(partBatchId(checkpoint, part, piece));
    if (ids.length >= atOnce) {
      yield ids;
      ids = [];
    }
  }
  if (ids.length > 0) yield ids;
}
