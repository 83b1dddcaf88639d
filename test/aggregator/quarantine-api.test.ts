// The quarantine over HTTP: who may look, what may change it and from where, and what is answered.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { createApi } from "../../aggregator/api/app.ts";
import {
  discardAnswer,
  quarantinedEvent,
  quarantineRow,
  retryAnswer,
} from "../../aggregator/read/quarantine-schema.ts";
import { systemClock } from "../../shared/clock.ts";
import { memoryLog } from "../../shared/log/memory.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { weirVersion } from "../../shared/wire/version.ts";
import { type Embedded, startEmbedded } from "../support/embedded.ts";
import { until } from "../support/until.ts";

const token = "a-token-of-some-length";

describe("the quarantine's API", () => {
  let weir: Embedded;
  let made = 0;
  let ids: string[];
  beforeAll(async () => {
    weir = await startEmbedded(["p"]);
  }, 60_000);
  afterAll(() => weir.close());

  beforeEach(async () => {
    made += 1;
    const events = ["a", "b", "c"].map((name) => ({
      event_id: `${name}${made}`,
      type: "t",
      user_id: "u",
      colour: 1,
    }));
    const response = await fetch(`${weir.edge.url}/v1/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${weir.keyOf("p")}`, "content-type": "application/json" },
      body: JSON.stringify({ events }),
    });
    const { batch_id: batchId } = (await response.json()) as { batch_id: string };
    await until("three events are kept", 20_000, async () => {
      const rows = await weir.store.sql`
        select quarantine_id from quarantine where batch_id = ${batchId} order by index`;
      ids = rows.map((row) => String(row["quarantine_id"]));
      return ids.length === 3;
    });
  });

  const get = async (path: string): Promise<{ data: unknown; meta: Record<string, unknown> }> => {
    const response = await fetch(`${weir.aggregatorUrl}/v1/quarantine${path}`);
    expect(response.status).toBe(200);
    return (await response.json()) as never;
  };

  const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(`${weir.aggregatorUrl}/v1/quarantine/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });

  const codeOf = async (response: Response): Promise<[number, unknown]> => {
    const { code } = (await response.json()) as { code: string };
    return [response.status, code];
  };

  it("lists what a filter lets through, page by page, with sums", async () => {
    const first = await get("?reason=unknown_field&status=open&limit=2");
    expect(z.array(quarantineRow).parse(first.data)).toHaveLength(2);
    expect(first.meta["sums"]).toContainEqual(
      expect.objectContaining({ reason: "unknown_field", status: "open" }),
    );
    const rest = await get(
      `?reason=unknown_field&status=open&limit=1000&cursor=${first.meta["next_cursor"]}`,
    );
    const seen = [first, rest].flatMap(({ data }) => (data as { id: string }[]).map(({ id }) => id));
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual(expect.arrayContaining(ids));
    expect((await get("?project=nobody")).data).toEqual([]);
    expect((await get("?to=2001-01-01")).data).toEqual([]);
  });

  it("counts, lists, shows, retries and discards the records that were kept whole beside", async () => {
    const [row] = await weir.store.sql`
      insert into quarantined_records (log_id, partition, log_offset, reason, detail, original)
      values ('another log', 0, 0, 'record_unreadable', 'no record', '\\x00ff')
      returning 'r' || record_id as id`;
    const id = String(row?.["id"]);
    const { data, meta } = await get("?limit=2");
    expect(z.array(quarantineRow).parse(data)).toMatchObject([{ id, status: "open" }, { status: "open" }]);
    expect(meta["records"]).toEqual([{ reason: "record_unreadable", status: "open", records: 1 }]);
    expect(quarantinedEvent.parse((await get(`/${id}`)).data)).toMatchObject({
      original: null,
      original_base64: "AP8=",
    });
    const retried = retryAnswer.parse(await (await post("retry", { ids: [id] })).json());
    expect(retried).toMatchObject({ ok: false, sent: 0, records: { written: 0, refused_again: 1 } });
    const response = await post("discard", { ids: [id], why: "not ours" });
    expect(discardAnswer.parse(await response.json())).toMatchObject({ ok: true, records: 1 });
    const shown = await get(`/${id}`);
    expect(shown.data).toMatchObject({
      status: "discarded",
      history: [{ action: "refused_again" }, { action: "discard", actor: "api", why: "not ours" }],
    });
    await weir.store.sql`delete from quarantined_records`;
    expect((await get("")).meta["records"]).toEqual([]);
  });

  it("says its package's version as its own", () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"));
    expect(weirVersion).toBe(version);
  });

  it("shows one event whole, and only one that is there", async () => {
    const { data } = await get(`/${ids[0]}`);
    expect(quarantinedEvent.parse(data).original).toContain('"colour":1');
    const absent = ["999999999", "0", "x", "1%20or%201=1"];
    for (const id of absent) {
      const response = await fetch(`${weir.aggregatorUrl}/v1/quarantine/${id}`);
      expect(await codeOf(response)).toEqual([404, "not_found"]);
    }
  });

  it("retries through the running edge and says what became of each", async () => {
    await weir.store.sql`
      update quarantine
      set original = convert_to(replace(convert_from(original, 'utf8'), ',"colour":1', ''), 'utf8')
      where quarantine_id = any(${ids.slice(0, 2)}::bigint[])`;
    const response = await post("retry", { ids });
    expect(response.status).toBe(200);
    const answer = retryAnswer.parse(await response.json());
    expect(answer).toMatchObject({ ok: false, sent: 3, stored: 2, refused_again: 1, pending: 0 });
    expect((await weir.reconcile()).ok).toBe(true);
  });

  it("discards with a reason, and tells what was not open", async () => {
    const response = await post("discard", { ids: ids.slice(0, 1), why: "not ours" });
    expect(discardAnswer.parse(await response.json())).toEqual({
      ok: true,
      discarded: 1,
      records: 0,
      not_open: [],
    });
    const again = await post("discard", { ids: ids.slice(0, 1), why: "not ours" });
    expect(await again.json()).toEqual({ ok: false, discarded: 0, records: 0, not_open: [ids[0]] });
    const { data } = await get(`/${ids[0]}`);
    expect(data).toMatchObject({ status: "discarded", history: [{ actor: "api", why: "not ours" }] });
    expect((await weir.reconcile()).ok).toBe(true);
  });

  const faulty: [what: string, path: string, body: unknown][] = [
    ["nothing chosen", "retry", {}],
    ["a project alone", "retry", { project: "p" }],
    ["an unknown member", "retry", { ids: ["1"], force: true }],
    ["a number that is none", "retry", { ids: ["1; drop table quarantine"] }],
    ["no reason why", "discard", { ids: ["1"] }],
    ["an empty reason why", "discard", { ids: ["1"], why: "  " }],
    ["an unknown reason", "discard", { reason: "because", why: "x" }],
    ["no JSON", "discard", "{"],
  ];
  it.each(faulty)("refuses a body with %s, and changes nothing", async (_, path, body) => {
    expect(await codeOf(await post(path, body))).toEqual([400, "body_malformed"]);
    expect((await get(`/${ids[0]}`)).data).toMatchObject({ status: "open" });
  });

  it("refuses a body over its limit", async () => {
    const body = { all: true, why: "x".repeat(70_000) };
    expect(await codeOf(await post("discard", body))).toEqual([413, "body_too_large"]);
  });

  const foreign: [what: string, headers: Record<string, string>, found: [number, string]][] = [
    ["a form", { "content-type": "application/x-www-form-urlencoded" }, [415, "unsupported_media_type"]],
    ["plain text", { "content-type": "text/plain" }, [415, "unsupported_media_type"]],
    ["another origin", { origin: "https://evil.example" }, [403, "forbidden"]],
    ["no origin at all, as from a sandbox", { origin: "null" }, [403, "forbidden"]],
    ["another port of this machine", { origin: "http://localhost:1" }, [403, "forbidden"]],
    ["another site", { "sec-fetch-site": "cross-site" }, [403, "forbidden"]],
    ["a sibling site", { "sec-fetch-site": "same-site" }, [403, "forbidden"]],
  ];
  it.each(foreign)("takes no change sent by %s", async (_, headers, found) => {
    expect(await codeOf(await post("discard", { ids, why: "x" }, headers))).toEqual(found);
    expect((await get(`/${ids[0]}`)).data).toMatchObject({ status: "open" });
  });

  it("takes a change from its own pages", async () => {
    const headers = { origin: new URL(weir.aggregatorUrl).origin, "sec-fetch-site": "same-origin" };
    expect((await post("discard", { ids, why: "x" }, headers)).status).toBe(200);
  });

  it("takes no other method, and no change on other paths", async () => {
    const { aggregatorUrl } = weir;
    const tries = [
      ["PUT", "/v1/quarantine/retry", "GET,HEAD,POST"],
      ["POST", "/v1/quarantine", "GET,HEAD"],
      ["DELETE", `/v1/quarantine/${ids[0]}`, "GET,HEAD"],
    ] as const;
    for (const [method, path, allowed] of tries) {
      const response = await fetch(`${aggregatorUrl}${path}`, { method });
      expect(response.headers.get("allow")).toBe(allowed);
      expect(await codeOf(response)).toEqual([405, "method_not_allowed"]);
    }
    expect((await fetch(`${aggregatorUrl}/v1/quarantine/retry`)).status).toBe(404);
  });

  describe("behind a token", () => {
    async function guarded() {
      const log = memoryLog(new Map(), { topic: "weir.events" });
      await log.create();
      return createApi({
        store: weir.store,
        reader: await log.reader(),
        token,
        edgeSecrets: [],
        clock: systemClock,
        meter: silentMeter,
        logger: silentLogger,
        ready: async () => {},
      });
    }
    const json = { "content-type": "application/json" };
    const body = JSON.stringify({ all: true, why: "x" });

    it("shows and changes nothing without it", async () => {
      const app = await guarded();
      const tries = [
        app.request("/v1/quarantine"),
        app.request(`/v1/quarantine/${ids[0]}`),
        app.request("/v1/quarantine/discard", { method: "POST", headers: json, body }),
        app.request("/v1/quarantine/retry", { method: "POST", headers: json, body }),
      ];
      for (const response of tries) expect(await codeOf(await response)).toEqual([401, "unauthorized"]);
      expect((await get(`/${ids[0]}`)).data).toMatchObject({ status: "open" });
    });

    it("says what a retry needs where no collector is known", async () => {
      const app = await guarded();
      const headers = { ...json, authorization: `Bearer ${token}` };
      const response = await app.request("/v1/quarantine/retry", {
        method: "POST",
        headers,
        body: '{"all":true}',
      });
      expect(await codeOf(response)).toEqual([503, "not_ready"]);
      expect((await app.request("/v1/quarantine", { headers })).status).toBe(200);
    });
  });

  it("is described as it answers", async () => {
    const response = await fetch(`${weir.aggregatorUrl}/v1/openapi.json`);
    const { paths } = (await response.json()) as { paths: Record<string, { get: { responses: Responses } }> };
    for (const path of ["/v1/quarantine", "/v1/quarantine/{id}"]) {
      const { schema } = paths[path]!.get.responses["200"].content["application/json"];
      const answered = await fetch(`${weir.aggregatorUrl}${path.replace("{id}", ids[0]!)}`);
      expect(z.fromJSONSchema(schema as never).safeParse(await answered.json()).error).toBeUndefined();
    }
    expect(Object.keys(paths)).toEqual(
      expect.arrayContaining(["/v1/quarantine/retry", "/v1/quarantine/discard"]),
    );
  });
});

type Responses = { "200": { content: { "application/json": { schema: object } } } };
