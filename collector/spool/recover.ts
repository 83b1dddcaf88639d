// What a spool does when it opens its folder: take it for itself, and mend what an ending left behind.
import { Database } from "bun:sqlite";
import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { packFrame, scanSegment, segmentName } from "../../shared/spool/frame.ts";

/** A segment as it was found. */
export interface FoundSegment {
  number: number;
  bytes: number;
  records: number;
  events: number;
  since: number;
}

/** `cutBytes`: an unfinished tail that nobody was told of. `damaged`: files that hold what was no frame. */
export interface Recovered {
  segments: FoundSegment[];
  cutBytes: number;
  damaged: string[];
}

/** Holds the folder until the answered function is called; the system frees it when a process dies. */
export function lockFolder(dir: string): () => void {
  const lock = new Database(join(dir, "lock"), { create: true });
  try {
    lock.exec("pragma locking_mode = exclusive; begin exclusive");
  } catch (cause) {
    lock.close();
    throw new Error(`another process spools in ${dir}`, { cause });
  }
  return () => lock.close();
}

/** Reads every segment; a damaged part goes to a file of its own, and the segment keeps what is whole. */
export function recover(dir: string): Recovered {
  const names = readdirSync(dir)
    .filter((name) => segmentName.test(name))
    .sort();
  const recovered: Recovered = { segments: [], cutBytes: 0, damaged: [] };
  for (const name of names) {
    const path = join(dir, name);
    const bytes = readFileSync(path);
    const { frames, damaged, end } = scanSegment(bytes);
    const parts = [...damaged];
    if (end < bytes.length) {
      if (name === names.at(-1)) recovered.cutBytes = bytes.length - end;
      else parts.push([end, bytes.length]);
    }
    for (const [from, to] of parts) {
      const aside = join(dir, `${name}.${from}.damaged`);
      writeDurably(aside, bytes.subarray(from, to));
      recovered.damaged.push(aside);
    }
    const whole = Buffer.concat(frames.map(packFrame));
    if (frames.length === 0) rmSync(path);
    else if (whole.length < bytes.length) writeDurably(path, whole);
    if (frames.length === 0) continue;
    recovered.segments.push({
      number: Number(name.slice(0, 12)),
      bytes: whole.length,
      records: frames.length,
      events: frames.reduce((sum, frame) => sum + frame.events, 0),
      since: frames[0]!.time,
    });
  }
  syncFolder(dir);
  return recovered;
}

/** Written aside, on the disk, then renamed: a reader finds the old file or the new one whole. */
export function writeDurably(path: string, bytes: Uint8Array): void {
  const aside = `${path}.new`;
  writeFileSync(aside, bytes, { mode: 0o600 });
  const file = openSync(aside, "r+");
  fsyncSync(file);
  closeSync(file);
  renameSync(aside, path);
}

/** A new name in a folder lasts once the folder is on the disk too. */
export function syncFolder(dir: string): void {
  const folder = openSync(dir, "r");
  fsyncSync(folder);
  closeSync(folder);
}
