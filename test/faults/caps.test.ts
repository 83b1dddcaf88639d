// The watch over memory and disks finds what grew past its cap; events and the table are what they should be.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Disk, watchCaps } from "./caps.ts";
import { writeEvents } from "./events.ts";
import { renewed } from "./report.ts";
import type { FaultLine } from "./run-fault.ts";
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

describe("the README's table", () => {
  const line = (fault: string, count: number): FaultLine => ({
    ...{ fault, sent: count, acked: count, stored: count, duplicate: 0, quarantined: 0 },
    ...{ caught_in_flight: 1, lost: 0, extra: 0, wrongly_refused: 0, recovered_ms: count },
    ...{ peak_mib: {}, peak_disk_bytes: {} },
  });
  const empty = "before\n<!-- faults -->\n<!-- /faults -->\nafter";
  const names = ["one", "two", "three"];
  const rowsOf = (text: string): string[] => text.split("\n").filter((row) => /^\| (`|all)/.test(row));

  it("keeps the rows of faults that were not run, in the suite's order, and adds all up", () => {
    const first = renewed(empty, [line("three", 1200), line("one", 100)], 50, names);
    const second = renewed(
      first,
      [line("two@timescale", 10), line("two", 20), line("three", 1300)],
      50,
      names,
    );
    expect(rowsOf(second)).toEqual([
      "| `one` | 100 | 100 | 1 | 0 | 0 | 0 | 0.1 s |",
      "| `two` | 20 | 20 | 1 | 0 | 0 | 0 | 0.0 s |",
      "| `three` | 1,300 | 1,300 | 1 | 0 | 0 | 0 | 1.3 s |",
      "| `two@timescale` | 10 | 10 | 1 | 0 | 0 | 0 | 0.0 s |",
      "| all of them | 1,430 | 1,430 | 4 | 0 | 0 | 0 | 1.3 s |",
    ]);
    expect(second.startsWith("before\n") && second.endsWith("\nafter")).toBe(true);
  });

  it("begins anew for another number of events, and drops a fault that is no more", () => {
    const first = renewed(empty, [line("one", 100)], 50, names);
    expect(rowsOf(renewed(first, [line("two", 20)], 60, names))).toHaveLength(2);
    expect(rowsOf(renewed(first, [line("two", 20)], 50, ["two"]))).toHaveLength(2);
  });
});
