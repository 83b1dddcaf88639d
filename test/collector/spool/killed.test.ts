// A process killed while it spools: what it was told is on the disk is found by the next one.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { openFileSpool } from "../../../collector/spool/files.ts";

const dir = mkdtempSync(join(tmpdir(), "weir-spool-"));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe("a spool whose process was killed", () => {
  it("holds every record it acknowledged, whole, and frees its folder", async () => {
    const child = Bun.spawn(
      [process.execPath, join(import.meta.dirname, "child.ts"), dir, "spool_append:50"],
      {
        stdout: "pipe",
      },
    );
    const told = (await new Response(child.stdout).text()).trim().split("\n").map(Number);
    await child.exited;
    expect(child.signalCode).toBe("SIGKILL");
    expect(told).toHaveLength(49);
    const spool = openFileSpool({
      dir,
      bytesMax: 100_000_000,
      name: "east",
      logger: { error: () => {} } as never,
    });
    const segment = await spool.oldest();
    const found = segment?.frames.map(({ partition }) => partition) ?? [];
    expect(found.slice(0, told.length)).toEqual(told);
    expect(found.length).toBeLessThanOrEqual(told.length + 1);
    for (const { partition, record } of segment?.frames ?? []) {
      expect(record.every((byte) => byte === (partition & 255))).toBe(true);
    }
    await spool.close();
  });
});
