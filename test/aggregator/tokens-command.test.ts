// `weir tokens`, and an aggregator beyond loopback that only they let in.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Store } from "../../aggregator/store/store.ts";
import { tokenHash } from "../../aggregator/tokens-text.ts";
import { openProcesses } from "../support/processes.ts";
import { until } from "../support/until.ts";
import { closeScene, openScene } from "./scene.ts";

const minutes = 5 * 60_000;

describe("weir tokens", { timeout: minutes }, () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-tokens-command-"));
  const url = `embedded:${folder}/postgres`;
  const processes = openProcesses();
  let store: Store;
  beforeAll(async () => {
    store = await openScene(url);
  }, minutes);
  afterAll(async () => {
    await processes.close();
    await closeScene(store);
    rmSync(folder, { recursive: true, force: true });
  }, minutes);

  const settings = () => ({ WEIR_STORE_URL: url, WEIR_STORE_SCHEMA: store.schema, WEIR_DATA_DIR: folder });
  const tokens = (...words: string[]) => processes.run(["tokens", ...words], settings());

  it("shows a token once, lists it without its text, ends it, and notes both", async () => {
    const made = await tokens("create", "--name", "wall", "--role", "viewer", "--expires", "90d", "--json");
    expect(made, made.said).toMatchObject({
      code: 0,
      result: { name: "wall", role: "viewer", project: null },
    });
    const { id, token, expires_at } = made.result as Record<string, string>;
    expect(tokenHash(token!)).toMatch(new RegExp(`^${id}`));
    expect(Math.abs(Date.parse(expires_at!) - Date.now() - 90 * 86_400_000)).toBeLessThan(minutes);
    const plain = await tokens("create", "--name", "blog's", "--role", "analyst", "--project", "blog");
    expect(plain.said).toMatch(/^weir_[0-9A-Za-z]{49}\n$/);
    const listed = await tokens("list");
    expect(listed.said).toMatch(
      /^[0-9a-f]{12} {2}valid {2}viewer {2}wall {2}made \S+ {2}until \S+ {2}never used$/m,
    );
    expect(listed.said).toMatch(/analyst {2}blog's {2}project blog {2}made/);
    expect(listed.said).not.toContain("weir_");
    const revoked = await tokens("revoke", "wall");
    expect(revoked.said).toBe(`token ${id} wall is revoked; aggregators follow within 10 s\n`);
    const after = (await tokens("list", "--json")).result["tokens"] as { name: string; state: string }[];
    expect(after.map(({ name, state }) => [name, state])).toEqual([
      ["wall", "revoked"],
      ["blog's", "valid"],
    ]);
    const audit = await store.sql`select actor, outcome from audit where action = 'token' order by audit_id`;
    expect(audit.map(({ outcome }) => outcome)).toEqual(["created, viewer", "created, analyst", "revoked"]);
    expect(audit.every(({ actor }) => /^command \S+$/.test(actor))).toBe(true);
  });

  it.each([
    ["a name that is taken", ["create", "--name", "blog's", "--role", "viewer"], /has this name already/],
    ["a role that is none", ["create", "--name", "x", "--role", "root"], /viewer, analyst, admin/],
    ["a time that is none", ["create", "--name", "x", "--role", "admin", "--expires", "soon"], /--expires/],
  ])("is misused with %s", async (_, words, said) => {
    const ended = await tokens(...words);
    expect([ended.code, ended.said]).toEqual([2, expect.stringMatching(said)]);
  });

  it("lets an aggregator beyond loopback start where an admin has one, and closes it to everybody else", async () => {
    // Loopback by a name that is not taken for it, so that nobody else reaches this test.
    const beyond = { ...settings(), WEIR_HOST: "127.1", WEIR_LOG_URL: `sqlite:${folder}/log.sqlite` };
    expect((await processes.run(["migrate"], beyond)).code).toBe(0);
    const refused = await processes.run(["aggregator"], { ...beyond, WEIR_AGGREGATOR_PORT: "0" });
    expect([refused.code, refused.said]).toEqual([
      2,
      expect.stringContaining("listening on 127.1 needs a token"),
    ]);
    const bound = await tokens("create", "--name", "bound", "--role", "admin", "--project", "blog");
    expect(bound.code).toBe(0);
    expect((await processes.run(["aggregator"], { ...beyond, WEIR_AGGREGATOR_PORT: "0" })).code).toBe(2);
    const admin = await tokens("create", "--name", "ops", "--role", "admin", "--json");
    const aggregator = await processes.start("aggregator", beyond);
    const ask = async (headers: Record<string, string>) =>
      (await fetch(`${aggregator.url}/v1/audit`, { headers })).status;
    expect(await ask({})).toBe(401);
    const ours = { authorization: `Bearer ${admin.result["token"]}` };
    expect(await ask(ours)).toBe(200);
    expect((await tokens("revoke", "ops")).code).toBe(0);
    await until("the token is none any more", minutes, async () => (await ask(ours)) === 401);
    expect(processes.said()).not.toMatch(/"fields":.*weir_/);
  });
});
