// What our processes may take of memory and disk, whatever is down, and the watch that holds them to it.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import {
  batchBytesMax,
  batchesInFlightMax,
  bodiesBytesMax,
  publishBytesMax,
  writeBytesMax,
} from "../../shared/limits.ts";
import type { Watched } from "./stations.ts";
import type { Ground } from "./world.ts";

/** A folder of ours, and how large it may become in a fault of so many events, `before` being there already. */
export interface Disk {
  name: string;
  folder: string;
  bytesMax(events: number, before: number): number;
}

/** The most that was seen in one fault. */
export interface Peaks {
  /** Resident size by process. */
  peak_mib: Record<string, number>;
  /** Bytes by folder, of those that held any. */
  peak_disk_bytes: Record<string, number>;
}

const mebi = 1024 * 1024;
const sampleMs = 250;

/** The runtime with all our code and a minute of work behind it, and what it has not swept yet. */
const runtimeBytes = 256 * mebi;
/** What is held by its limit is held once more as what it was made from, until that is swept. */
const copies = 2;
const edgeBytes = copies * (bodiesBytesMax + batchesInFlightMax * batchBytesMax);
const collectorBytes = copies * publishBytesMax;
/** Rows of one transaction, one fetched beside it, and what both are unpacked to: some six times their bytes. */
const aggregatorBytes = copies * 6 * writeBytesMax;

/** 640, 768 and 448 MiB for each process; 1,344 MiB for the one that is all three. */
const residentBytesMax: Readonly<Record<string, number>> = {
  edge: runtimeBytes + edgeBytes,
  collector: runtimeBytes + collectorBytes,
  aggregator: runtimeBytes + aggregatorBytes,
  serve: runtimeBytes + edgeBytes + collectorBytes + aggregatorBytes,
};

/** The bound that the suite gives every spool: the least there is. */
export const spoolBytesMax: number = 16 * mebi;
/** A process that keeps nothing on disk: its name, a lock, a secret. */
export const smallBytesMax: number = mebi;
/**
 * A log and claims in files, which a store that is away does not empty: an event and its copy as a record's
 * part and as a claim, each of them in its file and in the journal before it.
 */
export const filesBytesMax = (events: number, before: number): number =>
  before + 2 * events * copies * 1024 + 2 * 32 * mebi;

/** Looks at memory and disks until the end is asked for; answers the peaks, and says what was too much. */
export function watchCaps(world: Ground, events: number, faults: string[]): () => Peaks {
  const stations = [...new Set([...world.edges, ...world.collectors, ...world.aggregators])];
  const before = new Map(world.disks.map(({ name, folder }) => [name, bytesIn(folder)]));
  const peaks: Peaks = { peak_mib: {}, peak_disk_bytes: {} };
  const sample = (): void => {
    for (const one of stations) raise(peaks.peak_mib, one.name, Math.round(one.residentBytes() / mebi));
    for (const { name, folder } of world.disks) raise(peaks.peak_disk_bytes, name, bytesIn(folder));
  };
  const timer = setInterval(sample, sampleMs);
  return () => {
    clearInterval(timer);
    sample();
    for (const one of stations) {
      const mib = peaks.peak_mib[one.name] ?? 0;
      if (mib * mebi > capOf(one)) faults.push(`${one.name} took ${mib} MiB of ${capOf(one) / mebi}`);
    }
    for (const { name, bytesMax } of world.disks) {
      const bytes = peaks.peak_disk_bytes[name] ?? 0;
      const most = bytesMax(events, before.get(name) ?? 0);
      if (bytes > most) faults.push(`${name} took ${bytes} bytes of disk of ${most}`);
    }
    return peaks;
  };
}

const capOf = ({ name }: Watched): number => residentBytesMax[name.replace(/-\d+$/, "")] ?? 0;

export function raise(peaks: Record<string, number>, name: string, value: number): void {
  if (value > (peaks[name] ?? 0)) peaks[name] = value;
}

/** Bytes of the files in a folder and below; a file or folder that goes away meanwhile counts nothing. */
export function bytesIn(folder: string): number {
  try {
    return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
      const path = join(folder, entry.name);
      return (
        sum + (entry.isDirectory() ? bytesIn(path) : (statSync(path, { throwIfNoEntry: false })?.size ?? 0))
      );
    }, 0);
  } catch {
    return 0;
  }
}
