// The aggregator's API: who may ask, what is answered in which form, and what a refusal looks like.

import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { type ApiOptions, createApi } from "../../../aggregator/api/app.ts";
import { pagePaths } from "../../../aggregator/dashboard/pages.ts";
import { questions } from "../../../aggregator/read/questions.ts";
import { systemClock } from "../../../shared/clock.ts";
import type { LogReader } from "../../../shared/log/log.ts";
import { memoryLog } from "../../../shared/log/memory.ts";
import { silentLogger } from "../../../shared/logger.ts";
import type { Meter } from "../../../shared/meter.ts";
import { WeirError } from "../../../shared/problem.ts";
import { createSigner } from "../../../shared/wire/signature.ts";
import { type FilledStore, filledStore } from "../read/filled-store.ts";

const token = "a-token-of-some-length";
const secret = "a secret of the edges";

let filled: FilledStore;
let reader: LogReader;
let readiness: () => Promise<unknown>;
let recorded: [name: string, attributes: unknown][];

beforeAll(async () => {
  filled = await filledStore();
  const log = memoryLog(new Map(), { topic: "weir.events" });
  await log.create();
  reader = await log.reader();
  await filled.addEvents([
    { at: "2026-07-01T10:00:00Z", type: "purchase", user: "ada", revenue: "2.50", currency: "EUR" },
    { at: "2026-07-01T11:00:00Z", type: '=1+1,"x"', user: "ada" },
    { at: "2026-07-02T10:00:00Z", type: "signup", anonymous: "a-1" },
  ]);
  await filled.addBatches(reader.identity, [{ id: "00000000-0000-7000-8000-000000000001", stored: 3 }]);
  await filled.store.sql`
    insert into write_keys (key_hash, project_id, rights, revoked_at, expires_at)
    values (${"a".repeat(64)}, 'shop', '{historical}', null, null),
      (${"b".repeat(64)}, 'blog', '{}', null, null),
      (${"c".repeat(64)}, 'shop', '{}', now(), null),
      (${"d".repeat(64)}, 'shop', '{}', null, '2100-01-01'),
      (${"e".repeat(64)}, 'shop', '{}', null, now() - interval '1 ms')`;
  await filled.store.sql`
    insert into projects (project_id, policy) values ('shop', '{"consent": "required"}')`;
});

afterAll(async () => filled.close());

function api(change: Partial<ApiOptions> = {}): ReturnType<typeof createApi> {
  recorded = [];
  readiness = async () => {};
  const meter: Meter = {
    count: () => {},
    set: () => {},
    record: (name, _, attributes) => void recorded.push([name, attributes]),
  };
  return createApi({
    store: filled.store,
    reader,
    edgeSecrets: [secret],
    clock: systemClock,
    meter,
    logger: silentLogger,
    exposition: () => "weir_up 1\n",
    ready: () => readiness(),
    ...change,
  });
}

async function refusal(response: Response): Promise<unknown> {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const problem = (await response.json()) as { status: number; code: string };
  expect(problem.status).toBe(response.status);
  return problem.code;
}

const july = "from=2026-07-01&to=2026-07-31";

describe("a change over HTTP", () => {
  it("is refused where the store cannot keep its reason", async () => {
    const response = await api().request("/v1/quarantine/discard", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ids: ["1"], why: "a\u0000b" }),
    });
    expect(await refusal(response)).toBe("body_malformed");
  });
});

describe("a question over HTTP", () => {
  it("is answered with its rows and where they stand in time", async () => {
    const response = await api().request(`/v1/active-users?${july}`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      data: [
        { bucket: "2026-07-01", active_users: 1 },
        { bucket: "2026-07-02", active_users: 1 },
      ],
      meta: {
        from: "2026-07-01T00:00:00.000Z",
        to: "2026-08-01T00:00:00.000Z",
        as_of: expect.stringMatching(/^\d{4}-.*Z$/),
        watermark: "2026-07-02T10:00:00.000Z",
      },
    });
  });

  it("is answered as CSV that no spreadsheet takes for a formula", async () => {
    const response = await api().request(`/v1/events?${july}&format=csv`);
    expect(response.headers.get("content-type")).toContain("text/csv");
    expect(await response.text()).toBe(
      [
        "bucket,type,events",
        `2026-07-01,"'=1+1,""x""",1`,
        "2026-07-01,purchase,1",
        "2026-07-02,signup,1",
        "",
      ].join("\r\n"),
    );
    const empty = await api().request("/v1/revenue?from=1999-01-01&to=1999-01-02&format=csv");
    expect(await empty.text()).toBe("bucket,currency,revenue\r\n");
    const ledger = await api().request("/v1/ledger?format=csv&by=project");
    expect((await ledger.text()).split("\r\n")).toEqual([
      "project,received,stored,duplicate,quarantined,expired,erased,in_flight",
      "shop,3,3,0,0,0,0,0",
      "",
    ]);
  });

  it("names every parameter at fault", async () => {
    const response = await api().request("/v1/events?from=now&tz=Nowhere&colour=1");
    expect(response.status).toBe(400);
    const problem = (await response.clone().json()) as { detail: string; retryable: boolean };
    expect(await refusal(response)).toBe("invalid_query");
    for (const name of ["from:", "tz:", '"colour"']) expect(problem.detail).toContain(name);
    expect(problem.retryable).toBe(false);
  });

  const place = (...values: unknown[]): string => Buffer.from(JSON.stringify(values)).toString("base64url");
  it.each([
    ["200", "/v1/segments?from=0001-01-01&to=9999-12-31"],
    ["200", "/v1/audit?to=9999-12-31"],
    ["200", "/v1/quarantine?from=0001-01-01&to=9999-12-31"],
    ["invalid_query", "/v1/alerts?rule=%00"],
    ["invalid_query", `/v1/alerts?cursor=${place("\u0000", null)}`],
    ["invalid_query", `/v1/alerts?by=transition&cursor=${place("\u0000", null)}`],
  ])("is answered with %s at the ends of what the store can hold: %s", async (expected, path) => {
    const response = await api().request(path);
    expect(response.ok ? String(response.status) : await refusal(response)).toBe(expected);
  });

  it("is measured by its name and outcome", async () => {
    const app = api();
    await app.request(`/v1/events?${july}`);
    await app.request("/v1/events?from=x");
    await app.request("/v1/ledger");
    expect(recorded).toEqual([
      ["weir.aggregator.query.duration", { "weir.question": "events", "weir.code": "ok" }],
      ["weir.aggregator.query.duration", { "weir.question": "events", "weir.code": "invalid_query" }],
      ["weir.aggregator.query.duration", { "weir.question": "ledger", "weir.code": "ok" }],
    ]);
  });

  it("runs once for all who ask the same at the same time", async () => {
    let runs = 0;
    const sql = Object.assign(filled.store.sql.bind(null), {
      begin: (mode: string, work: (tx: never) => Promise<unknown>) => {
        runs += 1;
        return filled.store.sql.begin(mode, work as never);
      },
    });
    const app = api({ store: { ...filled.store, sql: sql as never } });
    const same = await Promise.all(Array.from({ length: 50 }, () => app.request(`/v1/events?${july}`)));
    expect(new Set(same.map((response) => response.status))).toEqual(new Set([200]));
    expect(runs).toBe(1);
  });

  it("is refused where 32 others wait, and answered once they are", async () => {
    const answers: (() => void)[] = [];
    const begin = (): Promise<unknown> =>
      new Promise((_, reject) => answers.push(() => reject(new Error("held"))));
    const app = api({ store: { ...filled.store, sql: { begin } as never } });
    const held = Array.from({ length: 32 }, (_, number) => app.request(`/v1/events?project=p${number}`));
    await expect.poll(() => answers.length).toBe(32);
    expect(await refusal(await app.request("/v1/events?project=more"))).toBe("overloaded");
    for (const end of answers) end();
    await Promise.all(held);
    const next = app.request("/v1/events?project=more");
    await expect.poll(() => answers.length).toBe(33);
    answers.at(-1)!();
    expect(await refusal(await next)).toBe("internal");
  });

  it("says 503 when the store is away, and nothing of where it is", async () => {
    const sql = postgres({ host: "127.0.0.1", port: 1, user: "secret-user", connect_timeout: 1, max: 1 });
    for (const path of ["/v1/events", "/v1/ledger"]) {
      const response = await api({ store: { ...filled.store, sql } }).request(path);
      expect(response.status).toBe(503);
      expect(response.headers.get("retry-after")).toBe("1");
      expect(await response.clone().text()).not.toMatch(/secret-user|127\.0\.0\.1/);
      expect(await refusal(response)).toBe("store_unavailable");
    }
    await sql.end({ timeout: 0 });
  });

  it("says when the store was never migrated", async () => {
    const { store } = filled;
    await store.sql`create schema if not exists bare`;
    const inBare = {
      begin: (mode: string, work: (tx: unknown) => Promise<unknown>) =>
        store.sql.begin(mode, async (tx) => {
          await tx`set local search_path to bare`;
          return work(tx);
        }),
    };
    const response = await api({ store: { ...filled.store, sql: inBare as never } }).request("/v1/events");
    expect(await refusal(response)).toBe("not_ready");
  });
});

describe("whoever asks", () => {
  /** A path, and whether it is answered without a token where one is set. */
  const open: [path: string, isOpen: boolean][] = [
    ["/v1/active-users", false],
    ["/v1/events", false],
    ["/v1/revenue", false],
    ["/v1/newest", false],
    ["/v1/ledger", false],
    ["/v1/openapi.json", false],
    ["/v1/nothing", false],
    ["/", true],
    ["/dashboard.js", true],
    ["/dashboard.css", true],
    ["/favicon.svg", true],
    ["/livez", true],
    ["/readyz", true],
    ["/metrics", true],
  ];

  it.each(open)("%s with a token set: open %s", async (path, isOpen) => {
    const app = api({ token });
    expect((await app.request(path)).status).toBe(isOpen ? 200 : 401);
    for (const header of ["", "Bearer", `Bearer ${token}x`, `Basic ${token}`, `Bearer ${token} x`]) {
      const response = await app.request(path, { headers: { authorization: header } });
      expect(response.status).toBe(isOpen ? 200 : 401);
      if (!isOpen) {
        expect(response.headers.get("www-authenticate")).toBe("Bearer");
        expect(await refusal(response)).toBe("unauthorized");
      }
    }
    const told = await app.request(path, { headers: { authorization: `Bearer ${token}` } });
    expect(told.status).toBe(path === "/v1/nothing" ? 404 : 200);
    expect((await app.request(`${path}?token=${token}`)).status).toBe(isOpen ? 200 : 401);
  });

  const hosts: [host: string, status: number][] = [
    ["localhost:8789", 200],
    ["127.0.0.1", 200],
    ["127.9.9.9:1", 200],
    ["[::1]:8789", 200],
    ["evil.example", 403],
    ["localhost.evil.example", 403],
    ["127.0.0.1.evil.example:8789", 403],
    ["192.168.1.5:8789", 403],
    ["", 403],
  ];

  it.each(hosts)("without a token the name %s is answered %i", async (host, status) => {
    const app = api();
    for (const path of ["/", "/v1/ledger", "/livez"]) {
      expect((await app.request(path, { headers: { host } })).status).toBe(status);
    }
    expect((await api({ token }).request("/livez", { headers: { host } })).status).toBe(200);
  });

  it("is no other site's page", async () => {
    const headers = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" };
    expect((await api().request("/v1/ledger", { headers })).status).toBe(403);
    expect((await api().request("/", { headers: { ...headers, "sec-fetch-mode": "navigate" } })).status).toBe(
      200,
    );
  });

  it("may only read", async () => {
    for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
      const response = await api().request("/v1/events", { method });
      expect([response.status, response.headers.get("allow")]).toEqual([405, "GET,HEAD"]);
      expect(await refusal(response)).toBe("method_not_allowed");
    }
    const head = await api().request("/", { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });

  it("gets strict headers with every answer, refusals included", async () => {
    for (const path of ["/", "/v1/ledger", "/v1/events?from=x", "/nothing", "/livez"]) {
      const { headers } = await api().request(path);
      expect(headers.get("content-security-policy")).toContain("default-src 'none'; script-src 'self'");
      expect(headers.get("content-security-policy")).not.toContain("unsafe");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
      expect(headers.get("access-control-allow-origin")).toBeNull();
      expect(headers.get("cache-control")).toMatch(/^(private, )?no-(store|cache)$/);
    }
  });
});

describe("an edge", () => {
  it("learns the keys that were not revoked, by its signature alone", async () => {
    const signer = await createSigner([secret]);
    const headers = { "weir-signature": await signer.sign(new Uint8Array(), Date.now()) };
    for (const app of [api(), api({ token })]) {
      const response = await app.request("/v1/keys", { headers });
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({
        keys: [
          { hash: "a".repeat(64), project: "shop", rights: ["historical"] },
          { hash: "b".repeat(64), project: "blog", rights: [] },
          { hash: "d".repeat(64), project: "shop", rights: [], expires_at: Date.UTC(2100, 0, 1) },
        ],
        policies: { blog: {}, shop: { consent: "required" } },
      });
    }
  });

  it("is refused without, with another's, and with an old signature", async () => {
    const signer = await createSigner([secret]);
    const other = await createSigner(["another secret"]);
    const app = api({ token });
    const ask = (signature: string) => app.request("/v1/keys", { headers: { "weir-signature": signature } });
    const bearer = await app.request("/v1/keys", { headers: { authorization: `Bearer ${token}` } });
    expect(await refusal(bearer)).toBe("signature_invalid");
    expect(await refusal(await ask(await other.sign(new Uint8Array(), Date.now())))).toBe(
      "signature_invalid",
    );
    expect(await refusal(await ask(await signer.sign(new Uint8Array([1]), Date.now())))).toBe(
      "signature_invalid",
    );
    expect(await refusal(await ask(await signer.sign(new Uint8Array(), Date.now() - 400_000)))).toBe(
      "signature_expired",
    );
    expect(await refusal(await api({ edgeSecrets: [] }).request("/v1/keys"))).toBe("unauthorized");
  });
});

describe("health", () => {
  it("is alive whatever else is not", async () => {
    expect((await api().request("/livez")).status).toBe(200);
  });

  it("is ready when the store, the log and the process are", async () => {
    expect((await api().request("/readyz")).status).toBe(200);
  });

  it("names each reason why not", async () => {
    const silent: LogReader = { ...reader, ranges: () => Promise.reject(new Error("broker at 10.0.0.1")) };
    const app = api({ reader: silent });
    readiness = () => Promise.reject(new WeirError("not_ready", "no partition is owned here"));
    const response = await app.request("/readyz");
    const { detail } = (await response.clone().json()) as { detail: string };
    expect(response.status).toBe(503);
    expect(await refusal(response)).toBe("not_ready");
    expect(detail).toBe("the log does not answer; no partition is owned here.");
  });

  it("shows its metrics as Prometheus reads them", async () => {
    const response = await api().request("/metrics");
    expect(response.headers.get("content-type")).toContain("version=0.0.4");
    expect(await response.text()).toBe("weir_up 1\n");
    expect((await api({ exposition: undefined }).request("/metrics")).status).toBe(404);
  });
});

interface Described {
  openapi: string;
  paths: Record<string, { get: { parameters: { name: string; schema: object }[]; responses: never } }>;
}

describe("the API's description", () => {
  it("describes every question's parameters and the rows it really answers", async () => {
    const app = api();
    const described = (await (await app.request("/v1/openapi.json")).json()) as Described;
    expect(described.openapi).toBe("3.1.0");
    const others = ["ledger", "completeness", "reconcile", "live", "audit"];
    const schemas = [...questions, ...others.map((name) => ({ name }))];
    // What can be changed has its own suite.
    const asked = Object.entries(described.paths).filter(([path]) => !/^\/v1\/(quarantine|me$)/.test(path));
    expect(asked.map(([path]) => path)).toEqual(schemas.map((question) => `/v1/${question.name}`));
    for (const [path, { get }] of asked) {
      const names = get.parameters.map((parameter) => parameter.name);
      for (const parameter of get.parameters) expect(parameter.schema).toHaveProperty("type");
      const answered: object = get.responses["200"]["content"]["application/json"]["schema"];
      const checked = z.fromJSONSchema(answered as never);
      const required = Object.entries({ steps: "signup,purchase", start: "signup", person: "ada" })
        .filter(([name]) => names.includes(name) && !(name === "steps" && names.includes("start")))
        .map(([name, value]) => `&${name}=${value}`)
        .join("");
      // A stream is described by what it answers once.
      const once = names.includes("once") ? "once=1" : "";
      const query = names.includes("from") ? july + required : once;
      const body: unknown = await (await app.request(`${path}?${query}`)).json();
      expect(checked.safeParse(body).error).toBeUndefined();
      expect(checked.safeParse({ data: [{}], meta: {} }).success).toBe(false);
    }
  });

  it("asks for a token only where one is set", async () => {
    const plain = await (await api().request("/v1/openapi.json")).text();
    expect(plain).not.toContain('"security":');
    const headers = { authorization: `Bearer ${token}` };
    const guarded = await (await api({ token }).request("/v1/openapi.json", { headers })).text();
    expect(guarded).toContain('"security":[{"token":[]}]');
  });
});

describe("the proof", () => {
  it("counts every row and says which checks do not hold", async () => {
    const app = api();
    const told = async () =>
      ((await (await app.request("/v1/reconcile")).json()) as { data: object[] }).data[0];
    expect(await told()).toMatchObject({ stored: 3, rows_present: 3, received: 3 });
    await filled.store.sql`update ledger set stored = 4, published = 4, received = 4`;
    expect(await told()).toMatchObject({ ok: false, broken: expect.stringContaining("conservation") });
    await filled.store.sql`update ledger set stored = 3, published = 3, received = 3`;
    expect(await refusal(await app.request("/v1/reconcile?from=2026-01-01"))).toBe("invalid_query");
  });
});

describe("the dashboard's files", () => {
  it("weigh at most 120 KB packed, all together", async () => {
    let bytes = 0;
    for (const path of pagePaths) {
      const response = await api().request(path, { headers: { "accept-encoding": "gzip" } });
      expect(response.headers.get("content-encoding")).toBe("gzip");
      bytes += (await response.arrayBuffer()).byteLength;
    }
    expect(bytes).toBeLessThan(120 * 1024);
  });

  it("are not sent again while they are the same", async () => {
    const app = api();
    const etag = (await app.request("/dashboard.css")).headers.get("etag")!;
    const again = await app.request("/dashboard.css", { headers: { "if-none-match": etag } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
  });

  it("name the edge without letting its URL be markup", async () => {
    const page = await (await api({ edgeUrl: 'http://h/"><script>' }).request("/")).text();
    expect(page).toContain('content="http://h/&#34;&#62;&#60;script&#62;"');
  });
});
