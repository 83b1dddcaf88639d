// The hop to a collector over HTTP: signed anew each time, repeated under the same id, bounded in time.
import { afterEach, describe, expect, it } from "vitest";
import { httpCollector } from "../../edge/forward.ts";
import { polledKeys } from "../../edge/keys.ts";
import { forwardAttemptsMax, forwardBudgetMs, forwardDeadlineMs, keysPollMs } from "../../shared/limits.ts";
import { silentLogger } from "../../shared/logger.ts";
import { problemResponse, WeirError } from "../../shared/problem.ts";
import { type Batch, unpackBatch } from "../../shared/wire/batch.ts";
import { pack } from "../../shared/wire/msgpack.ts";
import { createSigner, signatureHeader } from "../../shared/wire/signature.ts";
import { type ManualClock, manualClock } from "../support/clock.ts";
import { now } from "./support.ts";

const signer = await createSigner(["secret"]);
const batch: Batch = {
  batchId: new Uint8Array(16).fill(7),
  project: "shop",
  edge: "edge-1",
  receivedAt: now,
  traceparent: null,
  count: 1,
  ids: new Uint8Array(16),
  hashes: new Uint8Array(16),
  fingerprints: new Uint8Array(8),
  flags: new Uint8Array(1),
  sizes: [2],
  bodies: new Uint8Array(2),
  refusals: [],
};
const answer = pack([batch.batchId, Uint8Array.of(3)]);

const servers: { stop(force?: boolean): unknown }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.stop(true);
});

function listen(fetch: (request: Request) => Response | Promise<Response>): string {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch });
  servers.push(server);
  return server.url.origin;
}

/** Lets time pass for as long as the work needs it, in small steps. */
async function whileTimePasses<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let isDone = false;
  const done = work.finally(() => {
    isDone = true;
  });
  done.catch(() => undefined);
  while (!isDone) {
    await clock.advance(50);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return done;
}

describe("a batch over HTTP", () => {
  it("arrives whole, signed, and is answered event by event", async () => {
    let seen: Batch | undefined;
    const url = listen(async (request) => {
      const body = new Uint8Array(await request.arrayBuffer());
      await signer.verify(request.headers.get(signatureHeader), body, now);
      seen = unpackBatch(body);
      return new URL(request.url).pathname === "/v1/batches"
        ? new Response(answer as BodyInit)
        : new Response("", { status: 404 });
    });
    const collector = httpCollector({
      url: `${url}/`,
      signer,
      clock: manualClock(now),
      logger: silentLogger,
    });
    expect(await collector.send(batch)).toEqual({ batchId: batch.batchId, outcomes: Uint8Array.of(3) });
    expect(seen).toEqual(batch);
  });

  it.each<[string, () => Response]>([
    ["503", () => problemResponse(new WeirError("log_unavailable", "down"))],
    ["500 of a proxy", () => new Response("oops", { status: 502 })],
    ["429", () => new Response("", { status: 429, headers: { "retry-after": "2" } })],
    ["a stale signature", () => problemResponse(new WeirError("signature_expired", "old"))],
    ["an answer nobody can read", () => new Response("no msgpack")],
  ])("is sent again under its id after %s, signed anew", async (_, refusal) => {
    const clock = manualClock(now);
    const seen: { id: string; signature: string | null; at: number }[] = [];
    const url = listen(async (request) => {
      const { batchId } = unpackBatch(new Uint8Array(await request.arrayBuffer()));
      seen.push({ id: String(batchId), signature: request.headers.get(signatureHeader), at: clock.now() });
      return seen.length < 3 ? refusal() : new Response(answer as BodyInit);
    });
    const collector = httpCollector({ url, signer, clock, logger: silentLogger });
    await whileTimePasses(clock, collector.send(batch));
    expect(new Set(seen.map(({ id }) => id)).size).toBe(1);
    expect(new Set(seen.map(({ signature }) => signature)).size).toBe(3);
  });

  it("waits at least as long as Retry-After says", async () => {
    const clock = manualClock(now);
    const times: number[] = [];
    const url = listen(() => {
      times.push(clock.now());
      return times.length === 1
        ? problemResponse(new WeirError("overloaded", "full", { retryAfterMs: 5000 }))
        : new Response(answer as BodyInit);
    });
    await whileTimePasses(clock, httpCollector({ url, signer, clock, logger: silentLogger }).send(batch));
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(5000);
  });

  it("is given up within its budget, with an answer the client may come back after", async () => {
    const clock = manualClock(now);
    let attempts = 0;
    const url = listen(() => {
      attempts += 1;
      return problemResponse(new WeirError("log_unavailable", "down"));
    });
    const sent = httpCollector({ url, signer, clock, logger: silentLogger }).send(batch);
    await expect(whileTimePasses(clock, sent)).rejects.toMatchObject({ code: "log_unavailable" });
    expect(attempts).toBe(forwardAttemptsMax);
    expect(clock.now() - now).toBeLessThan(forwardBudgetMs);
  });

  it("is given up at once where Retry-After lies beyond the budget", async () => {
    let attempts = 0;
    const url = listen(() => {
      attempts += 1;
      return problemResponse(new WeirError("overloaded", "full", { retryAfterMs: 60_000 }));
    });
    const sent = httpCollector({ url, signer, clock: manualClock(now), logger: silentLogger }).send(batch);
    await expect(sent).rejects.toMatchObject({ code: "overloaded", retryAfterMs: 60_000 });
    expect(attempts).toBe(1);
  });

  it("is not waited for beyond its deadline", async () => {
    const clock = manualClock(now);
    const url = listen(() => new Promise<Response>(() => undefined));
    const sent = httpCollector({ url, signer, clock, logger: silentLogger }).send(batch);
    await expect(whileTimePasses(clock, sent)).rejects.toMatchObject({ code: "log_unavailable" });
    expect(clock.now() - now).toBeGreaterThanOrEqual(forwardDeadlineMs);
    expect(clock.now() - now).toBeLessThanOrEqual(forwardBudgetMs + 100);
  });

  it("finds nobody, and says so", async () => {
    const clock = manualClock(now);
    const collector = httpCollector({ url: "http://127.0.0.1:1", signer, clock, logger: silentLogger });
    await expect(whileTimePasses(clock, collector.send(batch))).rejects.toMatchObject({
      code: "log_unavailable",
    });
    await expect(collector.ready()).rejects.toMatchObject({ code: "log_unavailable" });
  });

  it.each(["signature_invalid", "batch_malformed"] as const)(
    "is not sent again after %s, which is nothing a client can mend",
    async (code) => {
      let attempts = 0;
      const url = listen(() => {
        attempts += 1;
        return problemResponse(new WeirError(code, "no"));
      });
      const sent = httpCollector({ url, signer, clock: manualClock(now), logger: silentLogger }).send(batch);
      await expect(sent).rejects.toMatchObject({ code: "not_ready" });
      expect(attempts).toBe(1);
    },
  );

  it("tells the client of a batch that is too large for the log", async () => {
    const url = listen(() => problemResponse(new WeirError("record_too_large", "big")));
    const sent = httpCollector({ url, signer, clock: manualClock(now), logger: silentLogger }).send(batch);
    await expect(sent).rejects.toMatchObject({ code: "record_too_large" });
  });
});

describe("keys that are asked for", () => {
  const hash = "ab".repeat(32);

  it("come signed-for, are renewed, and outlive their source", async () => {
    const clock = manualClock(now);
    let list: unknown = { keys: [{ hash, project: "shop", rights: ["historical", "later"] }] };
    let asked = 0;
    const url = listen(async (request) => {
      asked += 1;
      await signer.verify(request.headers.get(signatureHeader), new Uint8Array(), clock.now());
      if (new URL(request.url).pathname !== "/v1/keys" || list === undefined)
        return new Response("", { status: 500 });
      return Response.json(list);
    });
    const keys = polledKeys({ url, signer, clock, logger: silentLogger });
    const until = (isDone: () => boolean) => expect.poll(isDone, { timeout: 5000 }).toBe(true);
    await expect(keys.ready()).rejects.toMatchObject({ code: "not_ready" });
    await until(() => keys.find(hash) !== undefined);
    await keys.ready();
    expect(keys.find(hash)).toEqual({ hash, project: "shop", rights: ["historical"] });
    for (const broken of [undefined, { keys: [{ hash: "short", project: "p", rights: [] }] }]) {
      list = broken;
      const before = asked;
      await clock.advance(keysPollMs);
      await until(() => asked > before);
      expect(keys.find(hash)).toBeDefined();
    }
    list = { keys: [] };
    await whileTimePasses(
      clock,
      until(() => keys.find(hash) === undefined),
    );
    const closing = keys.close();
    await whileTimePasses(clock, closing);
  });

  it("know a key made a moment ago, and ask for unknown ones once a second at most", async () => {
    const clock = manualClock(now);
    const hash = "cd".repeat(32);
    let list: unknown = { keys: [] };
    let asked = 0;
    const url = listen(() => {
      asked += 1;
      return Response.json(list);
    });
    const keys = polledKeys({ url, signer, clock, logger: silentLogger });
    await expect.poll(() => asked, { timeout: 5000 }).toBe(1);
    await keys.renew();
    expect(asked).toBe(2);
    list = { keys: [{ hash, project: "shop", rights: [] }] };
    const early = Promise.all([keys.renew(), keys.renew()]);
    expect([asked, keys.find(hash)]).toEqual([2, undefined]);
    await whileTimePasses(clock, early);
    expect([asked, keys.find(hash)?.project]).toEqual([3, "shop"]);
    await whileTimePasses(clock, keys.close());
  });
});
