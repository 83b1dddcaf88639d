// The commands over keys and projects as real processes, beside a running `dev` whose edge has to follow them.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openStore } from "../../aggregator/store/open.ts";
import { copyDatabase } from "../support/embedded-database.ts";
import { openProcesses } from "../support/processes.ts";
import { until } from "../support/until.ts";

const minutes = 10 * 60_000;
/** An edge asks every 30 s; the rest is room for a machine that is busy. */
const learnedMs = 120_000;

interface Urls {
  edgeUrl: string;
  pid: number;
}

describe("weir keys and weir project", { timeout: minutes }, () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-keys-command-"));
  const processes = openProcesses();
  const settings = { WEIR_DATA_DIR: join(folder, "data") };
  const weir = (...words: string[]) => processes.run([...words, "--json"], settings);
  const running = join(folder, "data", "running.json");
  let dev: ChildProcess | undefined;
  let edgeUrl = "";

  beforeAll(async () => {
    await copyDatabase(join(folder, "data", "postgres"));
    const root = join(import.meta.dirname, "../..");
    const ports = { WEIR_EDGE_PORT: "0", WEIR_COLLECTOR_PORT: "0", WEIR_AGGREGATOR_PORT: "0" };
    const env = { PATH: process.env["PATH"] ?? "", HOME: folder, ...ports, ...settings };
    dev = spawn(process.execPath, [join(root, "weir.ts"), "dev"], { env, stdio: "ignore" });
    await until("dev runs", minutes, () => existsSync(running));
    ({ edgeUrl } = JSON.parse(readFileSync(running, "utf8")) as Urls);
  }, minutes);
  afterAll(async () => {
    dev?.kill("SIGTERM");
    await until("dev ends", minutes, () => dev === undefined || dev.exitCode !== null);
    await processes.close();
    rmSync(folder, { recursive: true, force: true });
  }, minutes);

  let next = 0;
  async function send(key: string, headers: Record<string, string> = {}, more: object = {}) {
    next += 1;
    const event = { event_id: `e-${next}`, type: "t", user_id: "ada-lovelace", ...more };
    const response = await fetch(`${edgeUrl}/v1/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
      body: JSON.stringify(event),
    });
    const answer = (await response.json()) as { code?: string; quarantined?: number; duplicate?: number };
    return { status: response.status, retryAfter: response.headers.get("retry-after"), ...answer };
  }
  const created = async (...words: string[]) =>
    (await weir("keys", "create", ...words)).result as { id: string; key: string; weak: boolean };
  const statusBecomes = (what: string, status: number, ask: () => Promise<{ status: number }>) =>
    until(what, learnedMs, async () => (await ask()).status === status);

  // Each has keys or a project of its own, and mostly waits for the edge to learn.
  it.concurrent("make a key that works at once, and end it within the time an edge takes to learn", async () => {
    const { key, id } = await created("--project", "blog");
    expect((await send(key)).status).toBe(202);
    expect(await weir("keys", "revoke", id)).toMatchObject({ code: 0, result: { id, project: "blog" } });
    await statusBecomes("the key is none any more", 401, () => send(key));
    expect((await weir("keys", "revoke", id)).code).toBe(2);
  });

  it.concurrent("rotate a key: the new one works at once, and the old one until it ends", async () => {
    const { key, id } = await created("--project", "blog", "--historical");
    const rotated = await weir("keys", "rotate", key, "--keep", "1s");
    expect(rotated).toMatchObject({ code: 0, result: { replaces: id, rights: ["historical"] } });
    expect((await send(String(rotated.result["key"]))).status).toBe(202);
    await statusBecomes("the old key is none any more", 401, () => send(key));
    const { result } = await weir("keys", "list", "--project", "blog");
    const states = (result["keys"] as { id: string; state: string }[]).filter((one) => one.id === id);
    expect(states).toMatchObject([{ state: "expired" }]);
    expect((await weir("keys", "rotate", key)).code).toBe(2);
  });

  it.concurrent("take a key that clients carry, say that it is weak, and list no key's text", async () => {
    const brought = await weir("keys", "create", "--project", "blog", "--key", "phc_abc");
    expect(brought).toMatchObject({ code: 0, result: { key: "phc_abc", weak: true } });
    expect(brought.said).toContain("guessed");
    expect((await send("phc_abc")).status).toBe(202);
    expect((await weir("keys", "create", "--key", "phc_abc")).code).toBe(2);
    expect((await weir("keys", "create", "--key", "with space")).code).toBe(2);
    const listed = await weir("keys", "list");
    expect(listed.said).not.toContain("phc_abc");
  });

  it.concurrent("make a public name stand for a key, which is no key itself", async () => {
    const made = await created("--project", "blog", "--alias", "Blog.Example");
    expect(made.key).toBeNull();
    expect((await send("blog.example")).status).toBe(401);
    expect((await weir("keys", "create", "--alias", "x", "--historical")).code).toBe(2);
    expect((await weir("keys", "rotate", "blog.example")).code).toBe(2);
    expect(await weir("keys", "revoke", "BLOG.example")).toMatchObject({ code: 0, result: { id: made.id } });
  });

  it.concurrent("change what a project asks, and the edge follows", async () => {
    const { key } = await created("--project", "shop");
    const first = { event_id: "first", payload: { secret: 1, by: "ada-lovelace" } };
    expect((await send(key, { origin: "https://evil.example" }, first)).status).toBe(202);
    const set = await weir(
      ...["project", "set", "shop", "--origins", "https://shop.example", "--quota", "3"],
      ...["--pseudonyms", "on", "--scan", "quarantine", "--deny", "secret"],
    );
    expect(set).toMatchObject({
      code: 0,
      result: { policy: { quota_events_per_day: 3, pseudonym_keys: ["1"] } },
    });
    expect(set.said).not.toMatch(/"secret":/);
    await statusBecomes("the origin is refused", 403, () => send(key, { origin: "https://evil.example" }));
    expect(await send(key, {}, first)).toMatchObject({ status: 202, duplicate: 1 });
    const stored = await send(key, { origin: "https://shop.example" }, { payload: { secret: 1, kept: 2 } });
    expect(stored.status).toBe(202);
    expect(await send(key, {}, { payload: { to: "ada@example.com" } })).toMatchObject({ quarantined: 1 });
    await send(key);
    const over = await send(key);
    expect(over).toMatchObject({ status: 429, code: "quota_exceeded", retryable: true });
    expect(Number(over.retryAfter)).toBeGreaterThan(0);

    const shown = await weir("project", "show", "shop", "--pseudonyms-of", "ada-lovelace");
    const [pseudonym] = shown.result["pseudonyms"] as string[];
    const store = await openStore("embedded:", { schema: "weir", dataDir: settings.WEIR_DATA_DIR });
    try {
      await until("what was sent is stored", minutes, async () => {
        const rows =
          await store.sql`select 1 from events where project_id = 'shop' and user_id = ${pseudonym!}`;
        return rows.length === 2;
      });
      const rows = await store.sql`
        select payload from events where project_id = 'shop' and payload <> '{}' order by stored_at`;
      expect(rows.map((row) => row["payload"])).toEqual([first.payload, { kept: 2 }]);
      const kept = await store.sql`select original, reason from quarantine where project_id = 'shop'`;
      expect(kept.map((row) => [row["reason"], String(row["original"])])).toEqual([
        ["content_forbidden", expect.stringContaining('"to":"[email]"')],
      ]);
      expect(String(kept[0]!["original"])).not.toContain("ada-lovelace");
    } finally {
      await store.close();
    }
    const again = await weir("quarantine", "retry", "--all", "--project", "shop");
    expect(again).toMatchObject({ code: 0 });
    // Under its own id and under every pseudonym it ever had.
    expect(await weir("erase", "--project", "shop", "--user", "ada-lovelace")).toMatchObject({ code: 0 });
    const left = await openStore("embedded:", { schema: "weir", dataDir: settings.WEIR_DATA_DIR });
    expect([...(await left.sql`select 1 from events where project_id = 'shop'`)]).toEqual([]);
    await left.close();
    expect(await weir("reconcile")).toMatchObject({ code: 0, result: { ok: true } });
  });

  it.concurrent("import what the project asks too", async () => {
    await weir("project", "set", "files", "--pseudonyms", "on");
    const file = join(folder, "events.ndjson");
    const event = { event_id: "1", type: "t", user_id: "ada-lovelace", timestamp: "2026-07-01T12:00:00Z" };
    await Bun.write(file, JSON.stringify({ ...event, context: { country: "DE" } }));
    expect(await weir("import", file, "--project", "files")).toMatchObject({
      code: 0,
      result: { stored: 1 },
    });
    const store = await openStore("embedded:", { schema: "weir", dataDir: settings.WEIR_DATA_DIR });
    const rows = await store.sql`select user_id, country from events where project_id = 'files'`;
    await store.close();
    expect([...rows]).toMatchObject([{ user_id: expect.stringMatching(/^p\.1\./), country: "DE" }]);
  });

  it("refuse what means nothing, and tell who changed what", async () => {
    const misused = [
      ["project", "set", "shop"],
      ["project", "set", "shop", "--quota", "0"],
      ["project", "set", "shop", "--origins", "shop.example"],
      ["project", "set", "shop", "--scan-kinds", "names"],
      ["keys", "rotate", "nobody"],
      ["keys", "create", "--project", "weir_canary"],
      ["keys", "rotate", "phc_abc", "--keep", "soon"],
    ];
    for (const words of misused) expect([words, (await weir(...words)).code]).toEqual([words, 2]);
    expect((await weir("project", "show", "nobody")).code).toBe(1);
    const { result } = await weir("audit", "--action", "policy");
    const rows = result["rows"] as { outcome: string; project: string }[];
    expect(rows.map(({ project }) => project).sort()).toEqual(["files", "shop"]);
    expect(JSON.stringify(rows)).not.toContain("ada");
  });
});
