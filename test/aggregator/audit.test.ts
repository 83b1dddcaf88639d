// The audit: everything done with what is kept is in one list, with who, when and why, and names nobody erased.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { createApi } from "../../aggregator/api/app.ts";
import { eraseSubject, expireEvents } from "../../aggregator/lifecycle/remove.ts";
import { discardRows } from "../../aggregator/quarantine/discard.ts";
import { retryRows } from "../../aggregator/quarantine/retry.ts";
import { type AuditAsked, auditRow, listAudit } from "../../aggregator/read/audit.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { noon, recordOf } from "./records.ts";
import { openReplayScene, type ReplayScene } from "./replay-scene.ts";

const token = "a-token-of-some-length";
const refused = (name: string) => ({
  name,
  refusal: { code: "unknown_field" as const, pointer: "/x", detail: "x" },
});

describe("the audit", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-audit-"));
  const actor = "test";
  let scene: ReplayScene;
  const list = (asked: Partial<AuditAsked> = {}) => listAudit(scene.live.sql, { limit: 100, ...asked });

  beforeAll(async () => {
    scene = await openReplayScene(`embedded:${folder}/postgres`);
    const { live: store } = scene;
    await scene.publish(
      0,
      recordOf([{ name: "one" }, { name: "two", fields: { userId: "u-2" } }, refused("bad")]),
    );
    await scene.publish(0, Buffer.from("no record"), Buffer.from("nor this"));
    await scene.write([[0, 3]]);
    const kept = await store.sql`select quarantine_id::text as id from quarantine`;
    const ids = [String(kept[0]?.["id"])];
    await discardRows(store, { selection: { ids }, actor, why: "not ours" });
    await discardRows(store, { selection: { ids: ["r1"] }, actor, why: "noise" });
    const options = { store, reenter: undefined, clock: systemClock, meter: silentMeter, waitMs: 0 };
    await retryRows(options, { selection: { ids: ["r2"] }, asNew: false, actor });
    await store.sql`delete from events where event_id = 'one'`;
    await scene.replay(store);
    await expireEvents(store, { project: "p", type: "click", from: noon, actor });
    await expireEvents(store, { project: "p", type: "click", from: noon - 1, actor });
    await eraseSubject(store, { project: "p", kind: "user_id", id: "u-2", until: noon + 1, actor });
    await scene.replay(await scene.empty(), "anyway");
  }, 60_000);
  afterAll(async () => {
    await scene.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("has every action, the newest first, with what it was done to", async () => {
    const { rows, next } = await list();
    expect(next).toBeNull();
    expect(
      rows.map(({ action, target, project, outcome, why }) => [action, target, project, outcome, why]),
    ).toEqual([
      ["swap", expect.stringMatching(/^weir(_[0-9a-f]+)?_until_\d+_\d+$/), "", "", ""],
      ["erase", expect.stringMatching(/^user_id [0-9a-f]{64}$/), "p", "", ""],
      ["expire", `click before ${new Date(noon).toISOString()}`, "p", "", ""],
      ["restore", expect.stringMatching(/^log /), "", "1 rows", ""],
      ["refused_again", expect.stringMatching(/^record .+\/0\/2$/), "", "refused_again", expect.any(String)],
      ["discard", expect.stringMatching(/^record .+\/0\/1$/), "", "", "noise"],
      ["discard", "", "p", "", "not ours"],
    ]);
    expect(new Set(rows.map((row) => row.actor))).toEqual(new Set([actor]));
    expect(rows.at(-1)?.event).toMatch(/^\d+$/);
    expect(JSON.stringify(rows)).not.toContain("u-2");
  });

  it("is read page by page, each row once, and by what was done, where and when", async () => {
    const all = (await list()).rows.map(({ id }) => id);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await list({ limit: 2, cursor });
      seen.push(...page.rows.map(({ id }) => id));
      cursor = page.next ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toEqual(all);
    expect((await list({ action: "discard" })).rows).toHaveLength(2);
    expect((await list({ project: "p" })).rows).toHaveLength(3);
    expect((await list({ to: Date.now() - 86_400_000 })).rows).toEqual([]);
    expect((await list({ from: Date.now() - 86_400_000 })).rows).toHaveLength(all.length);
  });

  describe("over HTTP", () => {
    const headers = { authorization: `Bearer ${token}` };
    const app = () =>
      createApi({
        store: scene.live,
        reader: scene.reader,
        token,
        edgeSecrets: [],
        clock: systemClock,
        meter: silentMeter,
        logger: silentLogger,
        ready: async () => {},
      });

    it("is shown to whoever has the token, and to nobody else", async () => {
      expect((await app().request("/v1/audit")).status).toBe(401);
      const response = await app().request("/v1/audit?limit=3", { headers });
      expect(response.status).toBe(200);
      const { data, meta } = (await response.json()) as { data: unknown; meta: { next_cursor: string } };
      expect(z.array(auditRow).parse(data)).toHaveLength(3);
      expect(meta.next_cursor).toMatch(/^[\w-]+$/);
    });

    it.each(["limit=0", "limit=1001", "cursor=x", "action=nothing", "from=yesterday", "colour=red"])(
      "refuses %s",
      async (query) => {
        const response = await app().request(`/v1/audit?${query}`, { headers });
        expect([response.status, await response.json()]).toMatchObject([400, { code: "invalid_query" }]);
      },
    );

    it("is described as it answers", async () => {
      type Described = { paths: Record<string, { get: { responses: { 200: { content: Json } } } }> };
      type Json = { "application/json": { schema: object } };
      const description = (await (await app().request("/v1/openapi.json", { headers })).json()) as Described;
      const { schema } = description.paths["/v1/audit"]!.get.responses[200].content["application/json"];
      const answered = await (await app().request("/v1/audit", { headers })).json();
      expect(z.fromJSONSchema(schema as never).safeParse(answered).error).toBeUndefined();
    });
  });
});
