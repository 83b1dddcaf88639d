// The watch over memory and disks finds what grew past its cap, and events are what the files say they are.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Disk, watchCaps } from "./caps.ts";
import { writeEvents } from "./events.ts";
import type { Watched } from "./stations.ts";
import type { Ground } from "./world.ts";

const mebi = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), "weir-caps-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the watch over caps", () => {
  const watched = (name: string, residentMiB: number, disk: Disk) => {
    const station = { name, residentBytes: () => residentMiB * mebi } as Watched;
    const ground = { edges: [station, station], collectors: [], aggregators: [], disks: [disk] };
    const faults: string[] = [];
    return { end: watchCaps(ground as unknown as Ground, 100, faults), faults };
  };
  const disk: Disk = { name: "spool-1", folder, bytesMax: (events, before) => before + events };

  it("tells the peaks, and finds nothing where all stay below", () => {
    writeFileSync(join(folder, "before"), "x".repeat(50));
    const { end, faults } = watched("edge-1", 90, disk);
    writeFileSync(join(folder, "during"), "x".repeat(100));
    expect(end()).toEqual({ peak_mib: { "edge-1": 90 }, peak_disk_bytes: { "spool-1": 150 } });
    expect(faults).toEqual([]);
  });

  it("finds a folder that grew by a byte too many", () => {
    rmSync(join(folder, "during"), { force: true });
    const { end, faults } = watched("edge-1", 90, disk);
    writeFileSync(join(folder, "during"), "x".repeat(101));
    end();
    expect(faults).toEqual(["spool-1 took 151 bytes of disk of 150"]);
  });

  it.each([
    ["edge-2", 640],
    ["collector-1", 768],
    ["aggregator-1", 448],
    ["serve", 1344],
  ])("holds %s to %i MiB", (name, mib) => {
    const below = watched(name, mib, disk);
    below.end();
    expect(below.faults).toEqual([]);
    const above = watched(name, mib + 1, disk);
    above.end();
    expect(above.faults).toEqual([`${name} took ${mib + 1} MiB of ${mib}`]);
  });
});

describe("events made by their number", () => {
  it("are in the files what the judge takes them for", () => {
    const { files, sentOf, leastId } = writeEvents(folder, "some", 40, 10);
    const lines = files.map((file) => readFileSync(file, "utf8").trimEnd().split("\n"));
    const events = lines.flat().map((line) => JSON.parse(line));
    for (const event of events)
      expect(sentOf(event.event_id)).toEqual({ payload: event.payload, context: event.context });
    expect(new Set(events.map(({ event_id: id }) => id)).size).toBe(40);
    expect(lines.map(({ length }) => length)).toEqual([20, 22]);
    expect(leastId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-0000-0000-0{12}$/);
  });

  it.each(["some-40", "some-", "some-1x", "other-1", "some-01"])("do not know %s", (id) => {
    expect(writeEvents(folder, "some", 40).sentOf(id)).toBeUndefined();
  });
});
