// The webhook: each transition reaches it under one id, signed, in its rule's order, whatever it answers.
import { createHmac } from "node:crypto";
import { afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { deliverNext } from "../../../aggregator/alert/deliver.ts";
import { evaluateRules } from "../../../aggregator/alert/evaluate.ts";
import { readRules } from "../../../aggregator/alert/rules.ts";
import type { Webhook } from "../../../aggregator/alert/webhook.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { systemClock } from "../../../shared/clock.ts";
import { silentMeter } from "../../../shared/meter.ts";
import { emptyStore } from "./empty-store.ts";

const key = Buffer.from("a key of twenty-four bytes or more");
const secret = `whsec_${key.toString("base64")}`;
const noon = Date.UTC(2026, 0, 5, 12);

interface Got {
  path: string;
  headers: Headers;
  body: string;
}

/** A server that answers as it is told to, and keeps what it got. */
export function listen() {
  const got: Got[] = [];
  const answers: ((request: Request) => Response | Promise<Response>)[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      got.push({ path: new URL(request.url).pathname, headers: request.headers, body: await request.text() });
      return (answers.shift() ?? (() => new Response("ok")))(request);
    },
  });
  return { got, answers, url: `${server.url.origin}/T000/B000/a-secret-path`, stop: () => server.stop(true) };
}

export function webhookSuite(given: () => Store): void {
  let store: Store;
  let there: ReturnType<typeof listen>;
  beforeAll(() => {
    store = given();
  });
  beforeEach(async () => {
    there = listen();
    await emptyStore(store);
  });
  afterEach(() => there.stop());

  const told: string[] = [];
  const meter = {
    ...silentMeter,
    count: (_: string, __: number, attributes: Record<string, string> = {}) =>
      void told.push(attributes["weir.outcome"]!),
  };
  const deliver = (webhook: Webhook = { url: there.url, secret }) =>
    deliverNext({ sql: store.sql, webhook, clock: systemClock, meter });
  /** One round in which each rule is as it is told. */
  const judge = async (bad: Record<string, boolean>, minutes: number) => {
    const session = await store.writer();
    const rules = readRules({
      rules: Object.keys(bad).map((name) => ({ name, kind: "ledger", resolve_after: "0m" })),
    });
    await evaluateRules(session, {
      rules,
      measure: async ({ name }) => ({
        verdict: bad[name] ? "bad" : "good",
        value: 7,
        detail: `7 of "${name}" & more`,
      }),
      hasWebhook: true,
      dueMs: 0,
      now: noon + minutes * 60_000,
    });
    await session.end();
  };
  const rows = () => store.sql`
    select d.outcome, d.attempts, d.last_fault, d.next_at > now() as is_put_off
    from alert_deliveries d
    order by rule, number`;
  /** Lets what was put off be due. */
  const skipWait = () => store.sql`update alert_deliveries set next_at = now() where outcome is null`;

  it("gets a signed body that is text for people, too", async () => {
    await judge({ one: true }, 0);
    expect(await deliver()).toBe(true);
    expect(await deliver()).toBe(false);
    const [{ headers, body }] = there.got as [Got];
    const [event] = await store.sql`select id from alert_events`;
    const [notice] = await store.sql`select body from notices`;
    expect(headers.get("webhook-id")).toBe(event?.["id"]);
    expect(headers.get("content-type")).toBe("application/json");
    const seconds = headers.get("webhook-timestamp")!;
    expect(Math.abs(Date.now() / 1000 - Number(seconds))).toBeLessThan(60);
    const signed = createHmac("sha256", key).update(`${event?.["id"]}.${seconds}.${body}`).digest("base64");
    expect(headers.get("webhook-signature")).toBe(`v1,${signed}`);
    expect(JSON.parse(body)).toEqual(notice?.["body"]);
    expect(JSON.parse(body)).toEqual({
      type: "alert.firing",
      timestamp: "2026-01-05T12:00:00.000Z",
      text: 'FIRING (look): one. The ledger does not close. 7 of "one" & more.',
      data: expect.objectContaining({ alert_id: event?.["id"], rule: "one", number: 1, value: 7 }),
    });
    expect([...(await rows())]).toEqual([
      { outcome: "delivered", attempts: 1, last_fault: null, is_put_off: true },
    ]);
  });

  it.each([
    ["an error", () => new Response("no", { status: 500 }), "status 500"],
    ["a redirect, which is not followed", () => Response.redirect("/elsewhere", 302), "status 302"],
    ["a refusal", () => new Response("no_service", { status: 404 }), "status 404"],
  ])("is tried again after %s, under the same id, until it takes it", async (_, answer, fault) => {
    await judge({ one: true }, 0);
    there.answers.push(answer, answer);
    for (const attempts of [1, 2]) {
      expect(await deliver()).toBe(true);
      expect([...(await rows())]).toEqual([
        { outcome: null, attempts, last_fault: fault, is_put_off: expect.any(Boolean) },
      ]);
      await skipWait();
    }
    expect(await deliver()).toBe(true);
    expect(new Set(there.got.map(({ headers }) => headers.get("webhook-id"))).size).toBe(1);
    expect(there.got.map(({ path }) => path)).toEqual(Array(3).fill("/T000/B000/a-secret-path"));
    expect((await rows())[0]).toMatchObject({ outcome: "delivered", attempts: 3 });
    expect(told.splice(0).slice(-3)).toEqual(["failed", "failed", "delivered"]);
  });

  it("waits for as long as it was asked to", async () => {
    await judge({ one: true }, 0);
    there.answers.push(() => new Response("", { status: 429, headers: { "retry-after": "1200" } }));
    await deliver();
    const [row] =
      await store.sql`select extract(epoch from next_at - now())::int as wait from alert_deliveries`;
    expect(row?.["wait"]).toBeGreaterThan(1_100);
    expect(row?.["wait"]).toBeLessThan(1_300);
  });

  it("is left alone once it says that it is gone", async () => {
    await judge({ one: true }, 0);
    there.answers.push(() => new Response("", { status: 410 }));
    expect(await deliver()).toBe(true);
    await skipWait();
    expect(await deliver()).toBe(false);
    expect((await rows())[0]).toMatchObject({ outcome: "gone", attempts: 1, last_fault: "status 410" });
  });

  it("is given up after its days, and said so", async () => {
    await judge({ one: true }, 0);
    await store.sql`update alert_deliveries set until = now()`;
    there.answers.push(() => new Response("", { status: 500 }));
    await deliver();
    expect((await rows())[0]).toMatchObject({ outcome: "given_up", last_fault: "status 500" });
  });

  it("learns of each rule's transitions in their order, and of other rules meanwhile", async () => {
    await judge({ one: true, two: true }, 0);
    await judge({ one: false, two: false }, 1);
    there.answers.push(() => new Response("", { status: 500 }));
    await deliver();
    while (await deliver());
    await skipWait();
    while (await deliver());
    const order = there.got
      .map(({ body }) => JSON.parse(body).data)
      .map(({ rule, number }) => `${rule} ${number}`);
    const taken = order.slice(1);
    expect(taken.toSorted()).toEqual(["one 1", "one 2", "two 1", "two 2"]);
    expect(order[0]).toMatch(/ 1$/);
    for (const rule of ["one", "two"])
      expect(taken.indexOf(`${rule} 1`)).toBeLessThan(taken.indexOf(`${rule} 2`));
  });

  it("gets nothing twice from two aggregators at once", async () => {
    await judge({ one: true, two: true, three: true }, 0);
    await Promise.all(Array.from({ length: 8 }, () => deliver()));
    expect(there.got.map(({ headers }) => headers.get("webhook-id")).toSorted()).toEqual(
      (await store.sql`select id from alert_events order by id::text`).map(({ id }) => id),
    );
  });

  it("gets the same id again where a sender died behind its attempt", async () => {
    await judge({ one: true }, 0);
    // What a process leaves that was killed between the answer and its note of it: a claim that runs out.
    await deliver();
    await store.sql`
      update alert_deliveries set outcome = null, ended_at = null, next_at = now() + interval '60 seconds'`;
    expect(await deliver()).toBe(false);
    await skipWait();
    expect(await deliver()).toBe(true);
    const [first, second] = there.got.map(({ headers }) => headers.get("webhook-id"));
    expect(first).toBe(second!);
  });
}
