// The data folder: secrets made once and for the owner alone, and who is said to be running on it.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openDataDir } from "../../shared/data-dir.ts";

const above = mkdtempSync(join(tmpdir(), "weir-data-dir-"));
afterAll(() => rmSync(above, { recursive: true, force: true }));
const fresh = () => openDataDir(join(mkdtempSync(join(above, "folder-")), "deep"));
const running = (pid: number) => ({ pid, edgeUrl: "e", collectorUrl: "c", aggregatorUrl: "a" });

describe("a data folder", () => {
  it("keeps log, claims and store inside it", () => {
    const folder = fresh();
    for (const url of [folder.logUrl, folder.claimsUrl, folder.storeUrl]) {
      expect(url).toMatch(/^(sqlite|embedded):\//);
      expect(url).toContain(folder.path);
    }
  });

  it("makes its secrets once, and others in another folder", () => {
    const folder = fresh();
    const secrets = folder.secrets();
    expect(secrets.edgeSecret).toMatch(/^[0-9a-f]{64}$/);
    expect(secrets.writeKey).toMatch(/^wk_[\w-]{24}$/);
    expect(folder.secrets()).toEqual(secrets);
    expect(openDataDir(folder.path).secrets()).toEqual(secrets);
    expect(fresh().secrets().writeKey).not.toBe(secrets.writeKey);
  });

  it("lets nobody but its owner read what it writes, and leaves nothing half-written", () => {
    const folder = fresh();
    folder.secrets();
    folder.announce(running(1));
    expect(readdirSync(folder.path).sort()).toEqual(["running.json", "secrets.json"]);
    for (const name of readdirSync(folder.path)) {
      expect(statSync(join(folder.path, name)).mode & 0o777, name).toBe(0o600);
    }
  });

  it("names who serves it, until that one withdraws", () => {
    const folder = fresh();
    expect(folder.running()).toBeUndefined();
    folder.announce(running(process.ppid));
    expect(folder.running()).toEqual(running(process.ppid));
    folder.withdraw();
    folder.withdraw();
    expect(folder.running()).toBeUndefined();
  });

  it("passes over one that died without a word, and this process itself", () => {
    const folder = fresh();
    folder.announce(running(spawnSync("true").pid));
    expect(folder.running()).toBeUndefined();
    folder.announce(running(process.pid));
    expect(folder.running()).toBeUndefined();
  });
});
