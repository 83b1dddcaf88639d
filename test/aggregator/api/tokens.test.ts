// Who may use which route: every route has its place in the table, and every token gets what its role says.

import { Hono } from "hono";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { admit } from "../../../aggregator/api/admit.ts";
import { type ApiOptions, createApi } from "../../../aggregator/api/app.ts";
import { createGuard } from "../../../aggregator/api/guard.ts";
import { accessOf, accessTable, type Role, reaches, roles } from "../../../aggregator/api/roles.ts";
import { whileAllowed } from "../../../aggregator/api/while-allowed.ts";
import { listAudit } from "../../../aggregator/read/audit.ts";
import { questions } from "../../../aggregator/read/questions.ts";
import { createToken, listTokens, revokeToken } from "../../../aggregator/tokens.ts";
import { isTokenText, newTokenText } from "../../../aggregator/tokens-text.ts";
import type { LogReader } from "../../../shared/log/log.ts";
import { memoryLog } from "../../../shared/log/memory.ts";
import { silentLogger } from "../../../shared/logger.ts";
import { silentMeter } from "../../../shared/meter.ts";
import { type ManualClock, manualClock } from "../../support/clock.ts";
import { until } from "../../support/until.ts";
import { type FilledStore, filledStore } from "../read/filled-store.ts";

const settingsToken = "a-token-of-some-length";
const span = "from=2026-07-01&to=2026-07-31";
/** What a question cannot do without. */
const required: Readonly<Record<string, string>> = {
  "/v1/funnel": "steps=signup,purchase",
  "/v1/live": "once=1",
  "/v1/paths": "start=signup",
  "/v1/timeline": "person=ada",
};

let filled: FilledStore;
let reader: LogReader;
let clock: ManualClock;
/** A token of each role, and one of each that is for the project `blog` alone. */
const tokens = new Map<string, string>();

beforeAll(async () => {
  filled = await filledStore();
  const log = memoryLog(new Map(), { topic: "weir.events" });
  await log.create();
  reader = await log.reader();
  await filled.addEvents([
    { at: "2026-07-01T10:00:00Z", type: "signup", user: "ada" },
    { at: "2026-07-01T11:00:00Z", type: "purchase", user: "ada", revenue: "2.50", currency: "EUR" },
    { at: "2026-07-01T10:00:00Z", type: "signup", user: "ada", project: "blog" },
    {
      at: "2026-07-03T10:00:00Z",
      type: "purchase",
      user: "bea",
      project: "blog",
      revenue: "9",
      currency: "USD",
    },
  ]);
  await filled.addBatches(reader.identity, [
    { id: "00000000-0000-7000-8000-000000000001", at: "2026-07-01T10:00:00Z", stored: 2 },
    { id: "00000000-0000-7000-8000-000000000002", at: "2026-07-01T10:00:00Z", stored: 2, project: "blog" },
  ]);
  for (const role of roles) {
    const made = await createToken(filled.store, { name: role, role }, "test");
    const bound = await createToken(filled.store, { name: `${role} blog`, role, project: "blog" }, "test");
    tokens.set(role, made.token).set(`${role} blog`, bound.token);
  }
}, 120_000);
beforeEach(() => {
  clock = manualClock(Date.now());
});
afterAll(() => filled?.close());

const api = (change: Partial<ApiOptions> = {}): Hono =>
  createApi({
    store: filled.store,
    reader,
    token: settingsToken,
    edgeSecrets: ["a secret of the edges"],
    clock,
    meter: silentMeter,
    logger: silentLogger,
    exposition: () => "weir_up 1\n",
    ready: async () => {},
    ...change,
  });

const bearer = (token: string | undefined) => ({ authorization: `Bearer ${token}` });

async function asked(app: Hono, path: string, token?: string, method = "GET") {
  const response = await app.request(path, {
    method,
    headers: {
      ...(token === undefined ? {} : bearer(token)),
      ...(method === "POST" ? { "content-type": "application/json" } : {}),
    },
    ...(method === "POST" ? { body: "{}" } : {}),
  });
  const isStream = response.headers.get("content-type") === "text/event-stream";
  if (isStream) await response.body!.cancel();
  const body = (isStream ? {} : await response.json().catch(() => ({}))) as {
    code?: string;
    detail?: string;
    data?: unknown;
  };
  return { status: response.status, ...body };
}

/** Every route of the application as it is registered. */
const routes = (): [method: string, path: string][] =>
  api()
    .routes.filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => [method, path]);

const pathOf = (path: string): string =>
  `${path.replace(":id", "1").replace("*", "")}${required[path] === undefined ? "" : `?${required[path]}`}`;

describe("the table of roles", () => {
  it("has every route of the application", () => {
    const names = routes().map(([method, path]) => `${method} ${path}`);
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !Object.hasOwn(accessTable, name))).toEqual([]);
  });

  it("leaves people to analysts, and changes and the audit to admins", () => {
    const of = (role: Role | undefined) =>
      routes().flatMap(([method, path]) =>
        accessOf(method, path).role === role ? [`${method} ${path}`] : [],
      );
    expect(of("analyst").sort()).toEqual(
      ["newest", "quarantine", "quarantine/:id", "timeline"].map((name) => `GET /v1/${name}`),
    );
    expect(of("admin")).toEqual([
      "POST /v1/quarantine/retry",
      "POST /v1/quarantine/discard",
      "GET /v1/audit",
    ]);
    expect(of(undefined)).toEqual(
      ["keys", "/livez", "/readyz", "/metrics", "/*"].map((name) =>
        name.startsWith("/") ? `GET ${name}` : `GET /v1/${name}`,
      ),
    );
  });

  it("is asked before every route below /v1, except that edges sign", () => {
    const all = api().routes.map(({ method, path }) => `${method} ${path}`);
    const check = all.indexOf("ALL /v1/*");
    expect(all.filter((name) => name.startsWith("ALL "))).toEqual(["ALL /*", "ALL /v1/*"]);
    const before = all.slice(0, check).filter((name) => name.includes(" /v1/") && !name.startsWith("ALL"));
    expect(before).toEqual(["GET /v1/keys"]);
    const open = Object.entries(accessTable).filter(([, { role }]) => role === undefined);
    expect(open.map(([name]) => name).filter((name) => name.includes("/v1/"))).toEqual(["GET /v1/keys"]);
  });

  it("closes what it does not name", async () => {
    expect(accessOf("GET", "/v1/forgotten")).toEqual({ role: "admin", scope: "all" });
    expect(accessOf("GET", "constructor")).toEqual({ role: "admin", scope: "all" });
    const app = new Hono();
    const guard = createGuard({
      token: undefined,
      isOpen: false,
      findBearer: async (role) => ({ role: role as Role, name: role, project: null, expiresAt: null }),
    });
    admit(app, guard);
    app.get("/v1/forgotten", (context) => context.text("told"));
    app.onError((error) => Response.json({ message: error.message }, { status: 403 }));
    const statuses = roles.map(
      async (role) => (await app.request("/v1/forgotten", { headers: bearer(role) })).status,
    );
    expect(await Promise.all(statuses)).toEqual([403, 403, 200]);
  });
});

describe("every route", () => {
  it("that says of itself that it shows people is for analysts", () => {
    const personal = questions.filter(({ isPersonal }) => isPersonal === true);
    expect(personal.map(({ name }) => name)).toContain("timeline");
    for (const { name } of personal)
      expect([name, accessOf("GET", `/v1/${name}`).role]).toEqual([name, "analyst"]);
  });

  it("is kept by nobody on the way where it is asked in a way that shows people", async () => {
    const app = api();
    const kept = async (path: string): Promise<string | null> => {
      const response = await app.request(path, { headers: bearer(tokens.get("analyst")) });
      expect(response.status).toBe(200);
      return response.headers.get("cache-control");
    };
    expect(await kept("/v1/events?by=property&property=email")).toBe("no-store");
    expect(await kept("/v1/segments?by=property&property=email&format=csv")).toBe("no-store");
    expect(await kept("/v1/completeness?by=stream")).toBe("no-store");
    expect(await kept("/v1/events")).toBe("private, no-cache");
  });

  it("answers each role as the table says, and nobody without", async () => {
    const app = api();
    for (const [method, path] of routes()) {
      const { role: least } = accessOf(method, path);
      if (least === undefined) continue;
      expect([path, await asked(app, pathOf(path), undefined, method)]).toMatchObject([
        path,
        { status: 401, code: "unauthorized" },
      ]);
      for (const role of roles) {
        const answer = await asked(app, pathOf(path), tokens.get(role), method);
        const may = reaches(role, least);
        expect([path, role, answer.status === 403]).toEqual([path, role, !may]);
        if (!may) {
          expect(answer.code).toBe("forbidden");
          expect(answer.detail).toContain(`needs the role ${least}; this token has the role ${role}`);
        }
      }
    }
  }, 60_000);

  it("tells a token of one project of that project alone, whichever is asked for", async () => {
    const app = api();
    const narrowed = routes().filter(([method, path]) => accessOf(method, path).scope === "own");
    const differing: string[] = [];
    expect(narrowed.length).toBeGreaterThan(8);
    const description = await (
      await app.request("/v1/openapi.json", { headers: bearer(settingsToken) })
    ).json();
    for (const [, path] of narrowed) {
      // A parameter it did not know would be refused; here it is known to be one.
      const parameters: { name: string }[] = description.paths[path]?.get.parameters ?? [];
      const names = parameters.map(({ name }) => name);
      expect([path, names.includes("project")]).toEqual([path, true]);
      const query = [required[path] ?? "", names.includes("from") ? span : ""].filter((part) => part !== "");
      const ask = async (token: string | undefined, ...more: string[]) => {
        const { data, status } = await asked(app, `${path}?${[...query, ...more].join("&")}`, token);
        return { data, status };
      };
      const own = await ask(settingsToken, "project=blog");
      expect([path, own.status]).toEqual([path, 200]);
      if (JSON.stringify(await ask(settingsToken)) !== JSON.stringify(own)) differing.push(path.slice(4));
      const token = tokens.get("analyst blog");
      expect([path, await ask(token)]).toEqual([path, own]);
      expect([path, await ask(token, "project=")]).toEqual([path, own]);
      expect([path, await ask(token, "project=blog")]).toEqual([path, own]);
      expect((await ask(token, "project=shop")).status).toBe(403);
      expect((await ask(token, "project=blog", "project=shop")).status).toBe(403);
      expect((await ask(token, "%70roject=shop")).status).toBe(403);
    }
    const known = [
      "active-users",
      "events",
      "revenue",
      "sessions",
      "retention",
      "funnel",
      "segments",
      "ledger",
    ];
    expect(differing).toEqual(expect.arrayContaining([...known, "timeline", "newest"]));
    const shops = await asked(app, `/v1/events?${span}`, tokens.get("viewer"));
    expect(shops.data).toHaveLength(3);
    expect((await asked(app, `/v1/events?${span}`, tokens.get("viewer blog"))).data).toHaveLength(2);
  }, 60_000);

  it("keeps a token of one project from what is of all of them", async () => {
    const app = api();
    for (const [method, path] of routes()) {
      if (accessOf(method, path).scope !== "all") continue;
      const answer = await asked(app, pathOf(path), tokens.get("admin blog"), method);
      expect([path, answer]).toMatchObject([path, { status: 403, code: "forbidden" }]);
    }
    expect(await asked(app, "/v1/me", tokens.get("admin blog"))).toMatchObject({
      data: { role: "admin", name: "admin blog", project: "blog" },
    });
  });

  const personal = [
    ["/v1/segments?by=property&property=email", 403, 200],
    ["/v1/events?by=property&property=email", 403, 200],
    ["/v1/segments?by=country", 200, 200],
    ["/v1/completeness?by=stream", 403, 200],
    ["/v1/completeness?by=total&by=stream", 403, 400],
    ["/v1/completeness?by=project", 200, 200],
    ["/v1/live?events=1", 403, 200],
    ["/v1/live", 200, 200],
    ["/v1/newest?format=csv", 403, 200],
    ["/v1/timeline?person=ada&format=csv", 403, 200],
    ["/v1/nothing", 404, 404],
  ] as const;

  it.each(personal)("%s answers a viewer %i and an analyst %i", async (path, viewer, analyst) => {
    const app = api();
    expect((await asked(app, path, tokens.get("viewer"))).status).toBe(viewer);
    expect((await asked(app, path, tokens.get("analyst"))).status).toBe(analyst);
    expect((await app.request(path, { method: "HEAD", headers: bearer(tokens.get("viewer")) })).status).toBe(
      viewer,
    );
  });
});

describe("a token", () => {
  it("is a word of its own with a checksum, and 256 bits of chance", () => {
    const texts = Array.from({ length: 200 }, newTokenText);
    expect(new Set(texts).size).toBe(200);
    for (const text of texts) {
      expect(text).toMatch(/^weir_[0-9A-Za-z]{49}$/);
      expect(isTokenText(text)).toBe(true);
      const at = 5 + (text.charCodeAt(9) % 49);
      const other = text[at] === "x" ? "y" : "x";
      expect(isTokenText(text.slice(0, at) + other + text.slice(at + 1))).toBe(false);
    }
    for (const text of ["", "weir_", settingsToken, `${texts[0]} `, texts[0]!.slice(1)]) {
      expect(isTokenText(text)).toBe(false);
    }
  });

  it("is kept by its hash alone, and listed without its text", async () => {
    const text = tokens.get("viewer")!;
    const stored = JSON.stringify(await filled.store.sql`select * from api_tokens`);
    expect(stored).not.toContain(text.slice(5));
    const listed = await listTokens(filled.store.sql);
    expect(JSON.stringify(listed)).not.toContain(text.slice(5));
    expect(listed.find(({ name }) => name === "viewer blog")).toMatchObject({
      role: "viewer",
      project: "blog",
      state: "valid",
      expires_at: null,
    });
  });

  it("has a name of its own while it is valid, and can be made again once it is revoked", async () => {
    const made = { name: "Grafana", role: "viewer" } as const;
    const { id } = await createToken(filled.store, made, "test");
    await expect(createToken(filled.store, made, "test")).rejects.toThrow("has this name already");
    expect(await revokeToken(filled.store, "Grafana", "test")).toEqual({ id, name: "Grafana" });
    await expect(revokeToken(filled.store, "Grafana", "test")).rejects.toThrow("no token has this name");
    const again = await createToken(filled.store, made, "test");
    expect((await revokeToken(filled.store, again.id, "test")).id).toBe(again.id);
    const third = await createToken(filled.store, made, "test");
    expect((await revokeToken(filled.store, third.token, "test")).id).toBe(third.id);
    const { rows } = await listAudit(filled.store.sql, { action: "token", limit: 2 });
    expect(rows.map(({ actor, target, outcome }) => [actor, target, outcome])).toEqual([
      ["test", `token ${third.id} Grafana`, "revoked"],
      ["test", `token ${third.id} Grafana`, "created, viewer"],
    ]);
  });

  it.each([
    ["no name", { name: " " }],
    ["a name with a line break", { name: "a\nb" }],
    ["a name that is too long", { name: "x".repeat(101) }],
    ["no time at all", { name: "x", keepMs: 0 }],
    ["an empty project", { name: "x", project: "" }],
  ])("is not made with %s", async (_, change) => {
    await expect(createToken(filled.store, { role: "admin", ...change }, "test")).rejects.toThrow(/^--/);
  });

  it("ends within ten seconds of being revoked, and with it the stream that was opened with it", async () => {
    const app = api();
    const { token } = await createToken(filled.store, { name: "short", role: "viewer" }, "test");
    const status = async () => (await asked(app, "/v1/me", token)).status;
    expect(await status()).toBe(200);
    const stream = (await app.request("/v1/live", { headers: bearer(token) })).body!.getReader();
    await revokeToken(filled.store, "short", "test");
    await clock.advance(8_999);
    expect(await status()).toBe(200);
    await clock.advance(1);
    expect(await status()).toBe(401);
    let isEnded = false;
    void (async () => {
      while (!(await stream.read()).done);
      isEnded = true;
    })();
    await until("the stream has ended", 30_000, () => isEnded);
    expect(await asked(api(), "/v1/me", token)).toMatchObject({ status: 401, code: "unauthorized" });
  });

  it("ends when its time is over, to the millisecond", async () => {
    const app = api();
    const made = await createToken(
      filled.store,
      { name: "passing", role: "viewer", keepMs: 3_600_000 },
      "test",
    );
    const leftMs = Date.parse(made.expires_at!) - clock.now();
    expect(Math.abs(leftMs - 3_600_000)).toBeLessThan(60_000);
    await clock.advance(leftMs - 1);
    expect((await asked(app, "/v1/me", made.token)).status).toBe(200);
    await clock.advance(1);
    expect((await asked(app, "/v1/me", made.token)).status).toBe(401);
    await filled.store.sql`update api_tokens set expires_at = now() where name = 'passing'`;
    expect((await asked(api(), "/v1/me", made.token)).status).toBe(401);
    expect((await listTokens(filled.store.sql)).find(({ name }) => name === "passing")?.state).toBe(
      "expired",
    );
  });

  it("has its use noted once a minute", async () => {
    const { token } = await createToken(filled.store, { name: "noted", role: "viewer" }, "test");
    const used = async () =>
      (await listTokens(filled.store.sql)).find(({ name }) => name === "noted")?.last_used_at;
    expect(await used()).toBeNull();
    await asked(api(), "/v1/me", token);
    await until("its use is noted", 30_000, async () => (await used()) !== null);
    const first = await used();
    await asked(api(), "/v1/me", token);
    await asked(api(), "/v1/me", token);
    expect(await used()).toBe(first);
    await filled.store.sql`update api_tokens set last_used_at = now() - interval '61 s' where name = 'noted'`;
    const old = await used();
    await asked(api(), "/v1/me", token);
    await until("its use is noted again", 30_000, async () => (await used()) !== old);
  });
});

describe("the store behind the tokens", () => {
  /** A store that counts what is asked of it, and is away while `isAway` says so. */
  function counted(isAway = () => false) {
    let lookups = 0;
    const sql = new Proxy(filled.store.sql, {
      apply(target, self, [strings, ...values]: [TemplateStringsArray, ...unknown[]]) {
        if (strings.join("").includes("is_new_use")) {
          lookups += 1;
          if (isAway()) return Promise.reject(Object.assign(new Error("away"), { code: "ECONNREFUSED" }));
        }
        return Reflect.apply(target, self, [strings, ...values]);
      },
    });
    const app = api({ store: { ...filled.store, sql } });
    return { app, lookups: () => lookups };
  }

  it("is asked once for many who come with one token at once", async () => {
    const { app, lookups } = counted();
    const all = Array.from({ length: 40 }, () => asked(app, "/v1/me", tokens.get("viewer")));
    expect(new Set((await Promise.all(all)).map(({ status }) => status))).toEqual(new Set([200]));
    expect(lookups()).toBe(1);
    await clock.advance(9_000);
    await asked(app, "/v1/me", tokens.get("viewer"));
    expect(lookups()).toBe(2);
  });

  it("is not asked for what is no token, nor for the one of the settings", async () => {
    const { app, lookups } = counted();
    const wrong = `${tokens.get("viewer")!.slice(0, -1)}_`;
    for (const text of [wrong, "weir_x", "x".repeat(10_000)]) {
      expect((await asked(app, "/v1/me", text)).status).toBe(401);
    }
    expect((await asked(app, "/v1/me", settingsToken)).status).toBe(200);
    expect(lookups()).toBe(0);
  });

  it("says that it is away, not that a token is none", async () => {
    let isAway = true;
    const { app } = counted(() => isAway);
    const away = await asked(app, "/v1/me", tokens.get("viewer"));
    expect(away).toMatchObject({ status: 503, code: "store_unavailable" });
    expect((await asked(app, "/v1/me", settingsToken)).status).toBe(200);
    isAway = false;
    expect((await asked(app, "/v1/me", tokens.get("viewer"))).status).toBe(200);
    isAway = true;
    expect((await asked(app, "/v1/me", tokens.get("viewer"))).status).toBe(200);
    await clock.advance(9_000);
    expect((await asked(app, "/v1/me", tokens.get("viewer"))).status).toBe(503);
  });

  it("is asked for at most fifty guesses at once and ten a second, and known tokens go on meanwhile", async () => {
    const { app, lookups } = counted();
    const known = () => asked(app, "/v1/me", tokens.get("analyst"));
    expect((await known()).status).toBe(200);
    const guess = () => asked(app, "/v1/me", newTokenText());
    const codes = [];
    for (let turn = 0; turn < 120; turn += 1) codes.push((await guess()).code);
    expect(codes.filter((code) => code === "unauthorized")).toHaveLength(50);
    expect(codes.filter((code) => code === "overloaded")).toHaveLength(70);
    expect(lookups()).toBe(51);
    await clock.advance(1_000);
    const next = [];
    for (let turn = 0; turn < 20; turn += 1) next.push((await guess()).code);
    expect(next.filter((code) => code === "unauthorized")).toHaveLength(10);
    await clock.advance(10_000);
    for (let turn = 0; turn < 200; turn += 1) await guess();
    expect((await known()).status).toBe(200);
    expect((await asked(app, "/v1/me", settingsToken)).status).toBe(200);
  });
});

describe("loopback", () => {
  it("is open without a token, and honours the one that is sent", async () => {
    const app = api({ token: undefined });
    const me = async (headers: Record<string, string>) => {
      const response = await app.request("/v1/me", { headers });
      return response.status === 200 ? (await response.json()).data : response.status;
    };
    expect(await me({})).toEqual({ role: "admin", name: null, project: null });
    expect(await me(bearer(tokens.get("viewer")))).toEqual({ role: "viewer", name: "viewer", project: null });
    for (const authorization of ["Bearer", "Bearer x", `Bearer ${newTokenText()}`, "bearer"]) {
      expect(await me({ authorization })).toBe(401);
    }
    expect(await me({ ...bearer(tokens.get("viewer")), host: "evil.example" })).toBe(403);
    expect((await asked(app, "/v1/newest", tokens.get("viewer"))).status).toBe(403);
  });

  it("is closed where it is said that a token is needed", async () => {
    const app = api({ token: undefined, needsToken: true });
    expect((await asked(app, "/v1/me")).status).toBe(401);
    expect((await asked(app, "/v1/me", tokens.get("admin"))).status).toBe(200);
    expect((await app.request("/v1/openapi.json", { headers: { host: "weir.example" } })).status).toBe(401);
  });
});

describe("a change", () => {
  it("is noted under the name of the token that made it", async () => {
    const { store } = filled;
    await store.sql`
      insert into quarantined_records (log_id, partition, log_offset, reason, detail, original)
      values ('l', 0, 7, 'record_unreadable', 'x', ''), ('l', 0, 8, 'record_unreadable', 'x', '')`;
    const found = await store.sql`select record_id from quarantined_records order by log_offset`;
    const discard = async (token: string | undefined, at: number) => {
      const body = JSON.stringify({ ids: [`r${found[at]!["record_id"]}`], why: "noise" });
      const headers = { ...bearer(token), "content-type": "application/json" };
      return (await api().request("/v1/quarantine/discard", { method: "POST", headers, body })).status;
    };
    expect(await discard(tokens.get("analyst"), 0)).toBe(403);
    expect(await discard(tokens.get("admin"), 0)).toBe(200);
    expect(await discard(settingsToken, 1)).toBe(200);
    const { rows } = await listAudit(store.sql, { action: "discard", limit: 2 });
    expect(rows.map(({ actor }) => actor)).toEqual(["api", "api admin"]);
  });
});

describe("an answer that goes on", () => {
  it("ends once it is no longer allowed, and its source with it", async () => {
    let isAllowed = true;
    let wasEnded = false;
    const source = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array([1])),
      cancel: () => {
        wasEnded = true;
      },
    });
    let checks = 0;
    const check = async () => {
      checks += 1;
      if (!isAllowed) throw new Error("no more");
    };
    const stream = whileAllowed(source, check, 5).getReader();
    expect((await stream.read()).value).toEqual(new Uint8Array([1]));
    await until("it was asked for", 10_000, () => checks > 2);
    isAllowed = false;
    expect((await stream.read()).done).toBe(true);
    expect(wasEnded).toBe(true);
    const after = checks;
    const left: unknown[] = [];
    await whileAllowed(new ReadableStream({ cancel: (why) => void left.push(why) }), check, 60_000).cancel(
      "left",
    );
    expect([left, checks]).toEqual([["left"], after]);
  });
});
