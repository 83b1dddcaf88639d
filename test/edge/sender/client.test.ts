// The server client before an edge that fails in every way: what was tracked is stored once, or said to be lost.
import { gunzipSync } from "node:zlib";
import { afterEach, describe, expect, expectTypeOf, it, vi } from "vitest";
import {
  createClient,
  type EventsOf,
  type Failure,
  type Loss,
  type Quarantined,
} from "../../../edge/sender/client.ts";
import { openProxy } from "../../browser/beacon-proxy.ts";
import { startEmbedded } from "../../support/embedded.ts";
import { until } from "../../support/until.ts";
import { openScene, type Scene } from "../dialect/scene.ts";

interface Events extends Record<string, object | undefined> {
  act: { n: number };
  pause: undefined;
}

const soonMs = 30_000;
let scene: Scene | undefined;
afterEach(() => scene?.close());

async function open(options: Partial<Parameters<typeof createClient>[0]> = {}) {
  scene = await openScene();
  const losses: Loss[] = [];
  const failures: Failure[] = [];
  const quarantined: Quarantined[] = [];
  const client = createClient<Events>({
    url: scene.url,
    writeKey: scene.writeKey,
    batchWaitMs: 5,
    onLost: (loss) => losses.push(loss),
    onFailure: (failure) => failures.push(failure),
    onQuarantined: (one) => quarantined.push(one),
    ...options,
  });
  const track = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, at) => client.track({ type: "act", payload: { n: from + at } }));
  return { scene, client, track, losses, failures, quarantined };
}
const numbers = (of: Scene): number[] =>
  of.stored().map(({ payload }) => (JSON.parse(payload) as { n: number }).n);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

describe("a client", () => {
  it("sends what was tracked in order and in batches, and knows what became of it", async () => {
    const { scene, client, track } = await open({ batchEventsMax: 40, context: { app_version: "2.0" } });
    track(0, 100);
    expect(await client.flush()).toBe(true);
    expect(numbers(scene)).toEqual(upTo(100));
    expect(scene.requests.map(({ status }) => status)).toEqual([202, 202, 202]);
    expect(client.counts()).toEqual({
      tracked: 100,
      waiting: 0,
      accepted: 100,
      duplicate: 0,
      quarantined: 0,
      lost: 0,
    });
    const stored = scene.stored();
    expect(stored.map(({ seq }) => seq)).toEqual(upTo(100).map((n) => n + 1));
    expect(new Set(stored.map(({ streamId, appVersion }) => `${streamId} ${appVersion}`)).size).toBe(1);
    expect(stored[0]).toMatchObject({ identity: "event_id", appVersion: "2.0" });
  });

  it("packs what is longer than a KiB, and sends the same where the runtime cannot", async () => {
    const { scene, client, track } = await open();
    track(0, 1);
    await client.flush();
    expect(scene.packed()).toBe(0);
    track(1, 40);
    await client.flush();
    expect(scene.packed()).toBe(1);
    vi.stubGlobal("CompressionStream", undefined);
    try {
      track(40, 80);
      expect(await client.flush()).toBe(true);
    } finally {
      vi.unstubAllGlobals();
    }
    expect(scene.packed()).toBe(1);
    expect(numbers(scene)).toEqual(upTo(80));
  });

  it("sends by itself once a batch is full or the first has waited long enough", async () => {
    const { scene, track } = await open({ batchEventsMax: 10, batchWaitMs: 50 });
    track(0, 15);
    await until("all is stored", soonMs, () => scene.stored().length === 15);
    expect(scene.requests).toHaveLength(2);
  });

  it("keeps an event as it was when it was tracked", async () => {
    const { scene, client } = await open();
    const payload = { n: 1 };
    const timestamp = new Date();
    client.track({ type: "act", payload, event_id: "order-1", user_id: "u1", timestamp });
    payload.n = 2;
    await client.flush();
    expect(scene.stored()).toMatchObject([
      { eventId: "order-1", userId: "u1", payload: '{"n":1}', clientTime: timestamp.getTime() },
    ]);
  });

  it.each<[string, Scene["faults"], string]>([
    ["refuses for a while", [{ status: 503 }, { status: 500 }, { status: 504 }], "status 503"],
    ["is not there", [{ status: 404 }, { status: 401 }], "status 404"],
    ["stores and cuts the answer off", ["cut", "cut"], "socket"],
    ["has somebody answer in its place", [{ status: 200 }, { status: 204 }], "no receipt"],
  ])("before an edge that %s loses nothing and stores nothing twice", async (_, faults, detail) => {
    const { scene, client, track, failures, losses } = await open({ batchEventsMax: 30 });
    scene.faults.push(...faults);
    track(0, 50);
    expect(await client.flush({ timeoutMs: soonMs })).toBe(true);
    expect(numbers(scene)).toEqual(upTo(50));
    expect(failures).toHaveLength(faults.length);
    expect(failures[0]!.detail.toLowerCase()).toContain(detail);
    expect(losses).toEqual([]);
    const { accepted, duplicate } = client.counts();
    expect(accepted + duplicate).toBe(50);
    if (faults.includes("cut")) expect(duplicate).toBeGreaterThan(0);
  });

  it("waits as long as it is asked to", async () => {
    const { scene, client, track } = await open();
    scene.faults.push({ status: 429, headers: { "retry-after": "1" } });
    const startedAt = Date.now();
    track(0, 1);
    await client.flush();
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(1_000);
    expect(numbers(scene)).toEqual([0]);
  });

  it("gives up a request that hangs, and sends it again", async () => {
    let calls = 0;
    const { scene, client, track, failures } = await open({
      requestTimeoutMs: 100,
      fetch(request) {
        calls += 1;
        if (calls > 1) return fetch(request);
        return new Promise((_, reject) =>
          request.signal.addEventListener("abort", () => reject(new Error("time is up"))),
        );
      },
    });
    track(0, 3);
    await client.flush();
    expect(numbers(scene)).toEqual([0, 1, 2]);
    expect(failures).toMatchObject([{ status: 0, detail: "time is up", attempts: 1 }]);
  });

  it("is told which event the edge keeps aside, and why", async () => {
    const { client, quarantined } = await open();
    client.track({ type: "act", payload: { n: 1 }, timestamp: "2020-01-01T00:00:00Z", event_id: "old" });
    client.track({ type: "pause" });
    await client.flush();
    expect(quarantined).toMatchObject([{ event_id: "old", code: "time_too_old", pointer: "/timestamp" }]);
    expect(client.counts()).toMatchObject({ accepted: 1, quarantined: 1, lost: 0 });
  });
});

describe("a client that cannot keep all", () => {
  it("says which events found no room, and declares them with the next one", async () => {
    const { scene, client, track, losses } = await open({ queueEventsMax: 5 });
    const tracked = track(0, 8);
    expect(tracked.map((one) => (one.queued ? "queued" : one.reason))).toEqual([
      ...Array(5).fill("queued"),
      ...Array(3).fill("queue_full"),
    ]);
    expect(losses.map(({ text }) => (JSON.parse(text) as { payload: { n: number } }).payload.n)).toEqual([
      5, 6, 7,
    ]);
    await client.flush();
    track(8, 9);
    await client.flush();
    const last = scene.stored().at(-1)!;
    expect([last.seq, (JSON.parse(last.context) as { lost: number }).lost]).toEqual([9, 3]);
    expect(client.counts()).toMatchObject({ tracked: 9, accepted: 6, lost: 3 });
  });

  it.each<[string, Partial<Parameters<typeof createClient>[0]>, object, string]>([
    ["bytes", { queueBytesMax: 1_000 }, { text: "x".repeat(2_000) }, "queue_full"],
    ["a request", {}, { text: "x".repeat(1_100_000) }, "too_large"],
    ["JSON", {}, { big: 1n }, "not_json"],
  ])("never throws at what is too much for %s", async (_, options, payload, reason) => {
    const { client, losses } = await open(options);
    expect(client.track({ type: "act", payload: payload as { n: number } })).toMatchObject({
      queued: false,
      reason,
    });
    expect(losses).toHaveLength(1);
    expect(await client.flush()).toBe(true);
  });

  it("finds the one event that is refused whatever is tried, and sends the others", async () => {
    const { scene, client, track, losses } = await open({
      async fetch(request) {
        const body = new Uint8Array(await request.clone().arrayBuffer());
        const text = String(Buffer.from(request.headers.has("content-encoding") ? gunzipSync(body) : body));
        return text.includes('"n":7}') ? new Response("{}", { status: 413 }) : fetch(request);
      },
    });
    track(0, 20);
    expect(await client.flush()).toBe(true);
    expect(numbers(scene)).toEqual(upTo(20).filter((n) => n !== 7));
    expect(losses).toMatchObject([{ reason: "refused" }]);
  });

  it("reports at its close what the edge has not said to have, and takes nothing more", async () => {
    const { scene, client, track, losses } = await open();
    scene.faults.push(...Array.from({ length: 100 }, () => ({ status: 503 })));
    track(0, 4);
    expect(await client.close({ timeoutMs: 300 })).toMatchObject({
      tracked: 4,
      waiting: 0,
      accepted: 0,
      lost: 4,
    });
    expect(losses.map(({ reason }) => reason)).toEqual(Array(4).fill("closed"));
    expect(track(4, 5)).toMatchObject([{ queued: false, reason: "closed" }]);
  });

  it("goes on where a listener throws", async () => {
    const thrown: unknown[] = [];
    const listener = (error: unknown) => thrown.push(error);
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException").on("uncaughtException", listener);
    const { scene, client, track } = await open({
      onFailure() {
        throw new Error("mine");
      },
    });
    scene.faults.push({ status: 503 });
    track(0, 2);
    await client.flush();
    process.removeListener("uncaughtException", listener);
    for (const other of others) process.on("uncaughtException", other);
    expect(numbers(scene)).toEqual([0, 1]);
    expect(thrown).toMatchObject([{ message: "mine" }]);
  });
});

describe("its types", () => {
  it("are those of the declared schemas", () => {
    const declared = [
      {
        type: "bought",
        version: 1,
        payload: {
          type: "object",
          properties: {
            sku: { type: "string" },
            count: { type: "integer" },
            plan: { enum: ["free", "pro"] },
            tags: { type: "array", items: { type: "string" } },
            note: { type: ["string", "null"] },
          },
          required: ["sku", "plan"],
          additionalProperties: false,
        },
      },
      { type: "seen", version: 1 },
    ] as const;
    type Declared = EventsOf<typeof declared>;
    expectTypeOf<Declared["bought"]["sku"]>().toEqualTypeOf<string>();
    expectTypeOf<Declared["bought"]["plan"]>().toEqualTypeOf<"free" | "pro">();
    expectTypeOf<Declared["bought"]["count"]>().toEqualTypeOf<number | undefined>();
    expectTypeOf<Declared["bought"]["tags"]>().toEqualTypeOf<string[] | undefined>();
    expectTypeOf<Declared["bought"]["note"]>().toEqualTypeOf<string | null | undefined>();
    const client = createClient<Declared>({ url: "http://127.0.0.1:9", writeKey: "k", queueEventsMax: 0 });
    expect(client.track({ type: "seen" }).queued).toBe(false);
    client.track({ type: "bought", payload: { sku: "s", plan: "pro" } });
    // @ts-expect-error a member that is required is missing
    client.track({ type: "bought", payload: { sku: "s" } });
    // @ts-expect-error nobody declared the type
    client.track({ type: "sold", payload: {} });
  });
});

describe("over the whole pipeline", () => {
  it("nothing is lost and nothing stored twice through faults, and what found no room is no gap", async () => {
    const weir = await startEmbedded(["shop"]);
    const proxy = await openProxy(weir.edge.url);
    const client = createClient<Events>({
      url: proxy.url,
      writeKey: weir.keyOf("shop"),
      batchEventsMax: 50,
      batchWaitMs: 5,
      queueEventsMax: 300,
    });
    let kept = 0;
    const track = (from: number, to: number): void => {
      for (let n = from; n < to; n += 1) if (client.track({ type: "act", payload: { n } }).queued) kept += 1;
    };
    track(0, 200);
    proxy.fault = { kind: "cut" };
    await until("an answer was cut off", soonMs, () => proxy.seen.some(({ status }) => status === 0));
    proxy.fault = { kind: "status", status: 503 };
    track(200, 600);
    await until("it was refused", soonMs, () => proxy.seen.some(({ status }) => status === 503));
    await proxy.down();
    await until("nobody was there", soonMs, () => client.counts().waiting === 300);
    await proxy.up();
    proxy.fault = { kind: "pass" };
    expect(await client.flush({ timeoutMs: soonMs })).toBe(true);
    track(600, 601);
    const { accepted, duplicate, lost } = await client.close({ timeoutMs: soonMs });
    expect([accepted + duplicate, lost]).toEqual([kept, 601 - kept]);
    expect(lost).toBeGreaterThan(0);
    const rows = () => weir.store.sql<{ n: number; copies: number }[]>`
      select (payload->>'n')::int as n, count(*)::int as copies from events where type = 'act' group by 1`;
    await until("all is stored", soonMs, async () => (await rows()).length === kept);
    expect((await rows()).every(({ copies }) => copies === 1)).toBe(true);
    const streams = () =>
      weir.store.sql`select declared_lost::int as lost, gap::int as gap from stream_counts`;
    await until("the stream is counted", soonMs, async () => (await streams())[0]?.["lost"] === lost);
    expect(await streams()).toMatchObject([{ lost, gap: 0 }]);
    await proxy.close();
    await weir.close();
  }, 120_000);
});
