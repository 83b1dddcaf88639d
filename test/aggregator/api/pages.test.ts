// Pages and validators: page after page makes the whole, and whoever has an answer is told when it still holds.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createApi } from "../../../aggregator/api/app.ts";
import { isKnown } from "../../../aggregator/api/etag.ts";
import { systemClock } from "../../../shared/clock.ts";
import { memoryLog } from "../../../shared/log/memory.ts";
import { silentLogger } from "../../../shared/logger.ts";
import { silentMeter } from "../../../shared/meter.ts";
import { type FilledStore, filledStore, type GivenEvent } from "../read/filled-store.ts";

let filled: FilledStore;
let app: ReturnType<typeof createApi>;

beforeAll(async () => {
  filled = await filledStore();
  const log = memoryLog(new Map(), { topic: "weir.events" });
  await log.create();
  app = createApi({
    store: filled.store,
    reader: await log.reader(),
    edgeSecrets: [],
    clock: systemClock,
    meter: silentMeter,
    logger: silentLogger,
    ready: async () => {},
  });
  await filled.addEvents(randomEvents(20_260_701, 90));
  const { sql } = filled.store;
  await sql`
    insert into event_schemas (project_id, type, version, payload)
    select project, type, version, '{}'
    from unnest(array['a', 'b']) as project, unnest(array['x', 'Y', 'é']) as type, generate_series(1, 3) as version`;
  await sql`
    insert into audit (acted_at, actor, action, project_id, target, outcome, why)
    select now(), 'api', 'expire', 'a', 'until ' || n, 'expire', '' from generate_series(1, 9) as n`;
  await sql`
    insert into quarantined_records (log_id, partition, log_offset, reason, detail, original)
    select 'log', 0, n, 'record_unreadable', 'no record', '\\x00' from generate_series(1, 4) as n`;
  await sql`
    insert into streams (project_id, stream_id, first_time, last_time, seqs)
    select 'a', 's-' || n, now(), now(), '{[0,1),[5,9)}' from generate_series(1, 7) as n`;
});

afterAll(async () => filled.close());

// Few names, so that many rows share a bucket; capitals and accents, since the store's own order counts.
function randomEvents(seed: number, count: number): GivenEvent[] {
  let state = seed;
  const random = (): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
  const one = <Value>(values: readonly Value[]): Value => values[Math.floor(random() * values.length)]!;
  return Array.from({ length: count }, () => {
    const at = Date.parse("2026-03-27T00:00:00Z") + Math.floor(random() * 5 * 86_400_000);
    const money = one([undefined, "1.25", "-2"]);
    const country = one(["DE", "de", "Österreich", undefined]);
    return {
      at: new Date(at).toISOString(),
      type: one(["purchase", "Purchase", "äpfel", "zoo", "page_view"]),
      user: one(["ann", "bob"]),
      ...(country === undefined ? {} : { country }),
      ...(money === undefined ? {} : { revenue: money, currency: one(["EUR", "USD", null]) }),
    };
  });
}

interface Page {
  data: object[];
  meta: { next_cursor: string | null };
}

async function pageOf(path: string): Promise<{ page: Page; response: Response }> {
  const response = await app.request(path);
  expect(response.status, path).toBe(200);
  return { page: (await response.clone().json()) as Page, response };
}

const march = "from=2026-03-20&to=2026-04-10";
/** A list, and a limit that its whole fits into where it has no other. */
const lists: [path: string, whole: string][] = [
  [`/v1/events?${march}`, ""],
  [`/v1/events?${march}&tz=Europe/Berlin&interval=week`, ""],
  [`/v1/events?from=2026-03-28T10:07:00Z&to=2026-03-30&tz=America/New_York`, ""],
  [`/v1/events?${march}&by=country`, ""],
  [`/v1/revenue?${march}`, ""],
  [`/v1/revenue?${march}&tz=Pacific/Kiritimati`, ""],
  [`/v1/timeline?${march}&person=ann`, "&limit=1000"],
  ["/v1/newest?project=shop", "&limit=100"],
  ["/v1/schemas", ""],
  ["/v1/schemas?project=b", ""],
  ["/v1/completeness?by=stream", "&limit=1000"],
  ["/v1/quarantine?status=open", "&limit=1000"],
  ["/v1/audit?action=expire", "&limit=1000"],
];

const and = (path: string, more: string): string => `${path}${path.includes("?") ? "&" : "?"}${more}`;

describe("pages of a list", () => {
  it.each(lists)("%s make the whole, whatever their size", async (path, wholeLimit) => {
    const { page: whole } = await pageOf(and(path, wholeLimit.slice(1)));
    expect(whole.meta.next_cursor).toBeNull();
    const count = whole.data.length;
    expect(count).toBeGreaterThan(3);
    for (const limit of new Set([1, 2, 3, 7, count - 1, count, count + 1])) {
      if (limit > 100) continue;
      const rows: object[] = [];
      let next: string | null = and(path, `limit=${limit}`);
      while (next !== null) {
        const { page, response } = await pageOf(next);
        rows.push(...page.data);
        expect(page.data.length).toBe(Math.min(limit, count - rows.length + page.data.length));
        const cursor = page.meta.next_cursor;
        expect(response.headers.get("weir-next-cursor")).toBe(cursor);
        const link = /^<([^>]+)>; rel="next"$/.exec(response.headers.get("link") ?? "");
        expect(link === null).toBe(cursor === null);
        if (link !== null) {
          expect(new URL(link[1]!, "http://localhost").searchParams.get("cursor")).toBe(cursor);
        }
        next = link === null ? null : link[1]!;
      }
      expect(rows, `limit ${limit}`).toEqual(whole.data);
    }
  });

  it("are described with their limit, their cursor and their headers", async () => {
    interface Described {
      paths: Record<string, { get?: { parameters?: { name: string }[]; responses: Record<string, object> } }>;
    }
    const { paths } = (await (await app.request("/v1/openapi.json")).json()) as Described;
    const paged = Object.entries(paths).filter(([, { get }]) =>
      get?.parameters?.some(({ name }) => name === "cursor"),
    );
    expect(paged.map(([path]) => path)).toEqual(
      expect.arrayContaining([...new Set(lists.map(([path]) => path.replace(/\?.*/, "")))]),
    );
    for (const [path, { get }] of paged) {
      expect(get!.parameters!.map(({ name }) => name)).toEqual(
        expect.arrayContaining(["limit", "If-None-Match"]),
      );
      expect(Object.keys(get!.responses), path).toEqual(["200", "304", "default"]);
      expect(JSON.stringify(get!.responses["200"])).toMatch(/"weir-next-cursor".*"Link".*"next_cursor"/s);
    }
  });

  it("go on in CSV by the same cursor", async () => {
    const first = await app.request(`/v1/events?${march}&limit=2&format=csv`);
    const cursor = first.headers.get("weir-next-cursor");
    const { page } = await pageOf(`/v1/events?${march}&limit=2`);
    expect(cursor).toBe(page.meta.next_cursor);
    expect((await first.text()).split("\r\n")).toHaveLength(4);
  });

  it.each([
    "x",
    "!",
    "",
    "bnVsbA",
    "W10",
    "WyJhIl0",
    `${"A".repeat(9000)}`,
    "WyIyMDI2LTAzLTI3IiwiXHUwMDAwIl0",
  ])("take no cursor such as %s", async (cursor) => {
    for (const [path] of lists) {
      const response = await app.request(and(path, `cursor=${encodeURIComponent(cursor)}`));
      // Nothing given is nothing said.
      if (cursor === "") expect(response.status).toBe(200);
      else expect([response.status, path]).toEqual([400, path]);
    }
  });
});

describe("an answer's validator", () => {
  const path = `/v1/events?${march}`;
  const ask = (tag?: string | null, asked = path) =>
    app.request(asked, { headers: tag == null ? {} : { "if-none-match": tag } });

  it("is the same while figures stand still, and another once they do not", async () => {
    const first = await ask();
    const tag = first.headers.get("etag");
    expect(tag).toMatch(/^W\/"[\w-]{22}"$/);
    const again = await ask(tag);
    expect([again.status, await again.text()]).toEqual([304, ""]);
    expect(again.headers.get("etag")).toBe(tag);
    expect(again.headers.get("weir-as-of")! >= first.headers.get("weir-as-of")!).toBe(true);
    expect(again.headers.get("cache-control")).toBe("private, no-cache");
    expect(again.headers.get("vary")).toContain("authorization");
    expect((await ask('W/"something-else"')).status).toBe(200);
    expect((await ask(tag, `${path}&types=zoo`)).status).toBe(200);
    expect((await ask(tag, `${path}&limit=1`)).status).toBe(200);
    await filled.addEvents([{ at: "2026-03-27T10:00:00Z", type: "zoo", user: "ann" }]);
    const changed = await ask(tag);
    expect(changed.status).toBe(200);
    expect(changed.headers.get("etag")).not.toBe(tag);
  });

  it("tells of a later watermark, also where no row changed", async () => {
    const tag = (await ask()).headers.get("etag");
    await filled.addEvents([{ at: "2026-05-01T10:00:00Z", type: "zoo", user: "ann" }]);
    const later = await ask(tag);
    expect(later.status).toBe(200);
    expect(later.headers.get("weir-watermark")).toBe("2026-05-01T10:00:00.000Z");
  });

  it.each([
    ["/v1/timeline?person=ann", "no-store"],
    ["/v1/newest", "no-store"],
    ["/v1/quarantine", "no-store"],
    ["/v1/audit", "no-store"],
    ["/v1/ledger", "private, no-cache"],
    ["/v1/completeness", "private, no-cache"],
  ])("%s has one, and is kept by %s", async (asked, keeping) => {
    const response = await ask(null, asked);
    expect(response.headers.get("cache-control")).toBe(keeping);
    expect((await ask(response.headers.get("etag"), asked)).status).toBe(304);
  });

  it.each([
    ['W/"a"', true],
    ['"a"', true],
    ['"b", W/"a"', true],
    ["*", true],
    ['"b"', false],
    ["a", false],
    ["", false],
    [undefined, false],
  ])("compares %s weakly", (header, isSame) => {
    expect(isKnown('W/"a"', header)).toBe(isSame);
  });
});
