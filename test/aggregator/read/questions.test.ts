// The questions, asked of rows whose answers are known by hand.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answer, type Query } from "../../../aggregator/read/answer.ts";
import { questions } from "../../../aggregator/read/questions.ts";
import { WeirError } from "../../../shared/problem.ts";
import { type FilledStore, filledStore } from "./filled-store.ts";

let filled: FilledStore;

beforeAll(async () => {
  filled = await filledStore();
  await filled.addEvents([
    // Berlin's clocks went back on 25 October 2026 and forward on 29 March 2026.
    { at: "2026-10-24T21:59:59.999Z", user: "ada", type: "signup" },
    { at: "2026-10-24T22:00:00Z", user: "ada" },
    { at: "2026-10-25T00:30:00Z", user: "bob", anonymous: "a-1" },
    { at: "2026-10-25T22:59:59.999Z", anonymous: "a-1" },
    { at: "2026-10-25T23:00:00Z", anonymous: "a-2", country: "Brazil" },
    { at: "2026-03-28T23:00:00Z", user: "cyd", type: "spring" },
    { at: "2026-03-29T21:59:59.999Z", user: "cyd", type: "spring" },
    { at: "2026-03-29T22:00:00Z", user: "cyd", type: "spring" },
    // Havana's clocks went from 1:00 back to 0:00 on 1 November 2026, so that day has two midnights.
    { at: "2026-11-01T03:59:59.999Z", type: "night" },
    { at: "2026-11-01T04:00:00Z", type: "night" },
    { at: "2026-11-01T05:00:00Z", type: "night" },
    { at: "2026-11-02T04:59:59.999Z", type: "night" },
    { at: "2026-11-02T05:00:00Z", type: "night" },
    // Beirut's go forward at 0:00, so its day of 26 March 2023 begins at 1:00; Apia had no 30 December 2011.
    { at: "2023-03-25T21:59:59.999Z", type: "gap" },
    { at: "2023-03-25T22:00:00Z", type: "gap" },
    { at: "2011-12-30T09:59:59.999Z", type: "skip" },
    { at: "2011-12-30T10:00:00Z", type: "skip" },
    // Neither user nor anonymous id.
    { at: "2026-06-15T12:00:00Z", type: "cron" },
    { at: "2026-07-01T00:00:00Z", type: "purchase", user: "ada", revenue: "0.10", currency: "EUR" },
    { at: "2026-07-01T00:00:01Z", type: "purchase", user: "ada", revenue: "0.20", currency: "EUR" },
    {
      at: "2026-07-01T23:59:59.999Z",
      type: "refund",
      anonymous: "a-3",
      revenue: "-1000000000.05",
      currency: "EUR",
    },
    { at: "2026-07-02T00:00:00Z", type: "purchase", user: "bob", revenue: "19.99", currency: "USD" },
    { at: "2026-07-31T12:00:00Z", type: "purchase", user: "bob", revenue: "5", currency: null },
    {
      at: "2026-07-01T12:00:00Z",
      type: "purchase",
      project: "other",
      user: "eve",
      revenue: "7",
      currency: "EUR",
    },
    { at: "2026-07-01T12:00:00Z", type: 'it\'s, "quoted"', project: "other", user: "eve" },
    // A visitor who logs in, on two devices; on the second somebody else logs in later; a third who never does.
    { at: "2026-08-10T10:00:00Z", project: "links", anonymous: "d-1" },
    { at: "2026-08-10T10:01:00Z", project: "links", anonymous: "d-1", user: "ann", type: "identify" },
    { at: "2026-08-11T10:00:00Z", project: "links", anonymous: "d-2" },
    { at: "2026-08-11T10:01:00Z", project: "links", anonymous: "d-2", user: "ann", type: "identify" },
    { at: "2026-08-12T10:00:00Z", project: "links", anonymous: "d-2" },
    { at: "2026-08-13T10:00:00Z", project: "links", anonymous: "d-2", user: "ben", type: "alias" },
    { at: "2026-08-12T10:00:00Z", project: "links", anonymous: "d-1" },
    { at: "2026-08-12T10:00:01Z", project: "links", anonymous: "d-3" },
    { at: "2026-08-12T10:00:02Z", project: "links", user: "ann" },
    // Somebody whose user_id is another's anonymous_id.
    { at: "2026-05-01T10:00:00Z", project: "names", user: "n-1" },
    { at: "2026-05-01T10:01:00Z", project: "names", anonymous: "n-1", user: "nan", type: "identify" },
    { at: "2026-05-01T10:02:00Z", project: "names", anonymous: "n-1" },
    // The same device in another project is another visitor.
    { at: "2026-08-12T10:00:03Z", project: "links-2", anonymous: "d-1" },
  ]);
});

afterAll(async () => filled.close());

async function ask(name: string, query: Record<string, string>): Promise<unknown[]> {
  const question = questions.find((each) => each.name === name)!;
  const listed: Query = Object.fromEntries(Object.entries(query).map(([key, value]) => [key, [value]]));
  const { data } = await answer(filled.store.sql, question, listed);
  for (const row of data) question.row.parse(row);
  return data.map((row) => Object.values(row));
}

const autumn = { from: "2026-10-24", to: "2026-10-26" };
const july = { from: "2026-07-01", to: "2026-07-31", project: "shop" };

/** What is asked, and the rows' values in their order. */
const cases: [title: string, name: string, query: Record<string, string>, rows: unknown[][]][] = [
  [
    "counts people by user or anonymous id in UTC days",
    "active-users",
    autumn,
    [
      ["2026-10-24", 1],
      ["2026-10-25", 3],
    ],
  ],
  [
    "counts identified people alone",
    "active-users",
    { ...autumn, users: "identified" },
    [
      ["2026-10-24", 1],
      ["2026-10-25", 1],
    ],
  ],
  [
    "counts an anonymous visitor as the user it was last identified as",
    "active-users",
    { from: "2026-08-10", to: "2026-08-13", project: "links", users: "linked" },
    [
      ["2026-08-10", 1],
      ["2026-08-11", 2],
      ["2026-08-12", 3],
      ["2026-08-13", 1],
    ],
  ],
  [
    "counts the same visitors by the ids they sent",
    "active-users",
    { from: "2026-08-10", to: "2026-08-13", project: "links" },
    [
      ["2026-08-10", 2],
      ["2026-08-11", 2],
      ["2026-08-12", 4],
      ["2026-08-13", 1],
    ],
  ],
  [
    "links within a project alone",
    "active-users",
    { from: "2026-08-12", to: "2026-08-12", users: "linked" },
    [["2026-08-12", 4]],
  ],
  [
    "cuts the day of 25 hours where Berlin does",
    "active-users",
    { ...autumn, tz: "Europe/Berlin" },
    [
      ["2026-10-24", 1],
      ["2026-10-25", 3],
      ["2026-10-26", 1],
    ],
  ],
  [
    "cuts the day of 23 hours where Berlin does",
    "events",
    { from: "2026-03-29", to: "2026-03-30", tz: "Europe/Berlin" },
    [
      ["2026-03-29", "spring", 2],
      ["2026-03-30", "spring", 1],
    ],
  ],
  [
    "begins a day at the first of its two midnights",
    "events",
    { from: "2026-10-31", to: "2026-11-02", tz: "America/Havana", types: "night" },
    [
      ["2026-10-31", "night", 1],
      ["2026-11-01", "night", 3],
      ["2026-11-02", "night", 1],
    ],
  ],
  [
    "begins a day without a midnight where the clock goes on",
    "events",
    { from: "2023-03-25", to: "2023-03-26", tz: "Asia/Beirut" },
    [
      ["2023-03-25", "gap", 1],
      ["2023-03-26", "gap", 1],
    ],
  ],
  [
    "leaves out a day that a zone skipped",
    "events",
    { from: "2011-12-28", to: "2012-01-02", tz: "Pacific/Apia" },
    [
      ["2011-12-29", "skip", 1],
      ["2011-12-31", "skip", 1],
    ],
  ],
  [
    "takes a bare date in `to` as the end of that day in the time zone",
    "events",
    { from: "2026-10-25", to: "2026-10-25", tz: "Europe/Berlin" },
    [["2026-10-25", "page_view", 3]],
  ],
  [
    "takes an instant in `to` as exclusive and one in `from` as inclusive",
    "events",
    { from: "2026-10-24T22:00:00Z", to: "2026-10-25T23:00:00Z" },
    [
      ["2026-10-24", "page_view", 1],
      ["2026-10-25", "page_view", 2],
    ],
  ],
  [
    "takes offsets and epoch milliseconds",
    "events",
    { from: "2026-10-25T01:00:00+01:00", to: String(Date.parse("2026-10-25T00:30:00.001Z")) },
    [["2026-10-25", "page_view", 1]],
  ],
  [
    "answers no day on which events name nobody",
    "active-users",
    { from: "2026-06-15", to: "2026-06-15" },
    [],
  ],
  [
    "keeps events without a user_id from those of identified people",
    "events",
    { from: "2026-10-25", to: "2026-10-25", users: "identified" },
    [["2026-10-25", "page_view", 1]],
  ],
  [
    "counts events by country in each bucket, null where they named none",
    "events",
    { from: "2026-10-25", to: "2026-10-26", project: "shop", interval: "month", by: "country" },
    [
      ["2026-10-01", "Brazil", 1],
      ["2026-10-01", null, 2],
    ],
  ],
  [
    "counts events by a property of the payload",
    "events",
    { ...july, by: "property", property: "plan", types: "refund" },
    [["2026-07-01", null, 1]],
  ],
  [
    "adds money to the cent, negatives included, by currency",
    "revenue",
    july,
    [
      ["2026-07-01", "EUR", -999999999.75],
      ["2026-07-02", "USD", 19.99],
      ["2026-07-31", null, 5],
    ],
  ],
  [
    "adds money by month",
    "revenue",
    { ...july, interval: "month" },
    [
      ["2026-07-01", "EUR", -999999999.75],
      ["2026-07-01", "USD", 19.99],
      ["2026-07-01", null, 5],
    ],
  ],
  [
    "begins weeks on Monday",
    "active-users",
    { ...july, to: "2026-07-05", interval: "week" },
    [["2026-06-29", 3]],
  ],
  ["filters types", "revenue", { ...july, types: "refund,signup" }, [["2026-07-01", "EUR", -1000000000.05]]],
  [
    "asks all projects when none is named",
    "revenue",
    { from: "2026-07-01", to: "2026-07-01", types: "purchase" },
    [["2026-07-01", "EUR", 7.3]],
  ],
  [
    "puts the largest segments first, and those who said nothing among them",
    "segments",
    { ...july, by: "type" },
    [
      ["purchase", 4, 2, 19.99],
      ["refund", 1, 1, 0],
    ],
  ],
  [
    "counts people of a segment as who they turned out to be",
    "segments",
    { from: "2026-08-10", to: "2026-08-13", project: "links", by: "type", users: "linked", limit: "2" },
    [
      ["page_view", 6, 3, 0],
      ["identify", 2, 1, 0],
    ],
  ],
  [
    "names countries, and null where events named none",
    "segments",
    { from: "2026-10-25", to: "2026-10-26", project: "shop" },
    [
      [null, 2, 2, 0],
      ["Brazil", 1, 1, 0],
    ],
  ],
  [
    "groups by a property of the payload",
    "segments",
    { ...july, by: "property", property: "plan", types: "refund" },
    [[null, 1, 1, 0]],
  ],
  [
    "follows cohorts up to the end of the span, and into no period behind it",
    "retention",
    { ...july, to: "2026-07-01" },
    [["2026-07-01", 2, [2]]],
  ],
  [
    "ends a day where the next one begins, though its midnight comes twice",
    "events",
    { from: "2026-10-31", to: "2026-10-31", tz: "America/Havana", types: "night" },
    [["2026-10-31", "night", 1]],
  ],
  [
    "begins a day with the first of its two midnights",
    "events",
    { from: "2026-11-01", to: "2026-11-01", tz: "America/Havana", types: "night" },
    [["2026-11-01", "night", 3]],
  ],
  [
    "counts the people of the only day of a span that ends before its noon",
    "active-users",
    { ...july, to: "2026-07-01T06:00:00Z", rolling: "1d" },
    [["2026-07-01", 1, 1, 1]],
  ],
  ["answers nothing for an unknown project", "events", { ...july, project: "none" }, []],
];

describe("a question", () => {
  it.each(cases)("%s", async (_, name, query, rows) => {
    expect(await ask(name, query)).toEqual(rows);
  });

  it("tells what a person did, also before they were known, page by page", async () => {
    const asked = { project: "links", person: "ann", from: "2026-08-01", to: "2026-08-31" };
    const rows = (await ask("timeline", asked)) as unknown[][];
    const told = rows.map(
      ([, time, , , type, user, anonymous]) => `${String(time).slice(8, 16)} ${type} ${user ?? anonymous}`,
    );
    // d-2 was identified as somebody else in the end.
    expect(told).toEqual([
      "12T10:00 page_view ann",
      "12T10:00 page_view d-1",
      "11T10:01 identify ann",
      "10T10:01 identify ann",
      "10T10:00 page_view d-1",
    ]);
    const { project: _, ...everywhere } = asked;
    expect(await ask("timeline", everywhere)).toEqual(rows);
    expect(await ask("timeline", { ...asked, project: "links-2" })).toEqual([]);
    expect(await ask("timeline", { ...asked, person: "nobody" })).toEqual([]);
  });

  it("tells of no namesake of a visitor who turned out to be the person", async () => {
    const asked = { project: "names", from: "2026-05-01", to: "2026-05-01" };
    const minutes = async (person: string) =>
      (await ask("timeline", { ...asked, person })).map((row) => String((row as unknown[])[1]).slice(14, 16));
    expect(await minutes("nan")).toEqual(["02", "01"]);
    expect(await minutes("n-1")).toEqual(["02", "00"]);
  });

  it("answers the newest events first", async () => {
    const rows = await ask("newest", { limit: "2", project: "shop" });
    expect(rows.map((row) => (row as unknown[])[0])).toEqual([
      "2026-11-02T05:00:00.000Z",
      "2026-11-02T04:59:59.999Z",
    ]);
  });

  it("covers 30 days and today when no span is named", async () => {
    const { meta } = await answer(filled.store.sql, questions[0]!, {});
    expect(Date.parse(meta.to!) - Date.parse(meta.from!)).toBe(30 * 86_400_000);
    expect(Date.parse(meta.to!)).toBeGreaterThan(Date.parse(meta.as_of));
    expect(Date.parse(meta.to!) - Date.parse(meta.as_of)).toBeLessThanOrEqual(86_400_000);
    expect(Math.abs(Date.parse(meta.as_of) - Date.now())).toBeLessThan(60_000);
    expect(meta.watermark).toBe("2026-11-02T05:00:00.000Z");
  });

  it("refuses an answer of too many rows instead of cutting it", async () => {
    const { sql } = filled.store;
    await sql`
      insert into events (id, event_time, received_at, fingerprint, version, flags, identity, project_id, type,
        payload, context, metadata)
      select (lpad(to_hex(315532800000), 12, '0') || '7000800000000000' || lpad(to_hex(n), 4, '0'))::uuid,
        '1980-01-01T00:00:00Z', now(), 1, 1, 0, 'event_id', 'old', 'tick-' || n, '{}', '{}', '{}'
      from generate_series(1, 10001) as n`;
    await filled.foldEvents();
    const query = { from: "1980-01-01", to: "1980-01-01" };
    await expect(ask("events", query)).rejects.toMatchObject({
      code: "invalid_query",
      message: expect.stringContaining("10000 rows"),
    });
    expect(await ask("events", { ...query, types: "tick-1,tick-10001" })).toHaveLength(2);
    const pageOf = (more: Record<string, string[]>) =>
      answer(sql, questions.find(({ name }) => name === "events")!, {
        from: ["1980-01-01"],
        to: ["1980-01-01"],
        limit: ["10000"],
        ...more,
      });
    const first = await pageOf({});
    const second = await pageOf({ cursor: [first.meta.next_cursor!] });
    expect([first.data.length, second.data.length, second.meta.next_cursor]).toEqual([10_000, 1, null]);
  });
});

const attacks = [
  "'; drop table events; --",
  "1) or (1=1",
  "$1",
  "\\'",
  "%27%20or%201=1",
  "UTC'); select pg_sleep(9); --",
  "\u0000",
  "\ud800",
  "x".repeat(100_000),
];

describe("a hostile parameter", () => {
  const names = [
    "from",
    "to",
    "tz",
    "project",
    "types",
    "users",
    "interval",
    "by",
    "format",
    "limit",
    "steps",
    "window",
    "entry",
    "order",
    "mode",
    "periods",
    "breakdown",
    "__proto__",
  ];
  it.each(names)("%s is taken as a value or refused, never as a statement", async (name) => {
    for (const question of questions) {
      for (const attack of attacks) {
        const query: Query = Object.fromEntries([[name, [attack]]]);
        const outcome = await answer(filled.store.sql, question, query).then(
          ({ data }) => data,
          (error: unknown) => error,
        );
        if (Array.isArray(outcome)) expect(outcome).toEqual([]);
        else {
          expect(outcome).toBeInstanceOf(WeirError);
          expect((outcome as WeirError).code).toBe("invalid_query");
          expect((outcome as WeirError).message.length).toBeLessThan(500);
        }
      }
    }
    const [left] = await filled.store.sql`select count(*)::int as rows from events where project_id = 'shop'`;
    expect(left!["rows"]).toBe(23);
  });
});

/** Queries at fault, and the words the answer must hold. */
const faults: [query: Query, words: string[]][] = [
  [{ from: ["yesterday"] }, ["from:"]],
  [{ from: ["2026-02-30"] }, ["from:"]],
  [{ from: ["0000-01-01"] }, ["from:"]],
  [{ from: ["2026-01-01T00:00:00"] }, ["from:", "needs Z or an offset"]],
  [{ from: ["2026-01-02"], to: ["2026-01-01"] }, ["from:", "before to"]],
  [{ tz: ["Mars/Olympus"] }, ["tz:"]],
  [{ tz: ["A3"] }, ["tz:"]],
  [{ tz: ["+02:00"] }, ["tz:"]],
  [{ users: ["everybody"], interval: ["hour"] }, ["users:", "interval:"]],
  [{ colour: ["red"], types: ["a", "b"] }, ['"colour"', "types:", "more than once"]],
  [{ types: [","] }, ["types:"]],
];

describe("a faulty question", () => {
  it.each(faults)("%j is refused by name", async (query, words) => {
    const refused = answer(filled.store.sql, questions[0]!, query);
    await expect(refused).rejects.toMatchObject({ code: "invalid_query" });
    const error = await refused.catch((fault: Error) => fault);
    for (const word of words) expect((error as Error).message).toContain(word);
  });

  it.each([{ by: ["property"] }, { by: ["city"], property: ["plan"] }])(
    "that splits by a property names it, and no other does: %j",
    async (query) => {
      for (const splitting of questions.filter(({ name }) => name === "segments" || name === "events")) {
        const refused = answer(filled.store.sql, splitting, query);
        await expect(refused).rejects.toMatchObject({ code: "invalid_query" });
      }
    },
  );
});

describe("a store in trouble", () => {
  it("ends a question that takes too long", async () => {
    const slow = { ...questions[0]!, ask: (tx: never) => sleepOf(tx) };
    const began = performance.now();
    await expect(answer(filled.store.sql, slow, {})).rejects.toMatchObject({ code: "query_timeout" });
    expect(performance.now() - began).toBeLessThan(12_000);
  });

  it("writes nothing, whatever a question holds", async () => {
    const writing = { ...questions[0]!, ask: (tx: never) => deleteBy(tx) };
    await expect(answer(filled.store.sql, writing, {})).rejects.toMatchObject({ code: "25006" });
  });
});

type Tx = Parameters<(typeof questions)[number]["ask"]>[0];

async function sleepOf(tx: Tx): Promise<[]> {
  await tx`select pg_sleep(60)`;
  return [];
}

async function deleteBy(tx: Tx): Promise<[]> {
  await tx`delete from events`;
  return [];
}
