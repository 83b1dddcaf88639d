// What happens now over HTTP: the answer, the stream, and what becomes of those who listen.
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createApi } from "../../../aggregator/api/app.ts";
import { createListeners, listenersMax, questionsMax } from "../../../aggregator/api/live-listeners.ts";
import type { Answer } from "../../../aggregator/read/answer.ts";
import type { Live } from "../../../aggregator/read/live.ts";
import type { TailEvent } from "../../../aggregator/read/live-tail.ts";
import { type Clock, systemClock } from "../../../shared/clock.ts";
import { memoryLog } from "../../../shared/log/memory.ts";
import { silentLogger } from "../../../shared/logger.ts";
import { silentMeter } from "../../../shared/meter.ts";
import { WeirError } from "../../../shared/problem.ts";
import { until } from "../../support/until.ts";
import { type FilledStore, filledStore } from "../read/filled-store.ts";

/** A minute is a second. */
const quick: Clock = {
  ...systemClock,
  now: () => systemClock.now() * 60,
  sleep: (ms, signal) => systemClock.sleep(ms / 60, signal),
};

interface Said {
  event: string;
  id: string | undefined;
  data: string;
}

/** Reads a stream's events; comments have the name "comment". */
async function* read(stream: ReadableStream<Uint8Array>): AsyncGenerator<Said> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const bytes of stream as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(bytes, { stream: true });
    const blocks = text.split("\n\n");
    text = blocks.pop()!;
    for (const block of blocks) {
      const lines = block.split("\n").map((line): [string, string] => {
        const [, name, value] = /^([a-z]*): ?(.*)$/s.exec(line)!;
        return [name === "" ? "comment" : name!, value!];
      });
      const said = Object.fromEntries(lines);
      const event = said["event"] ?? lines[0]![0];
      yield { event, id: said["id"], data: said["data"] ?? lines[0]![1] };
    }
  }
}

async function next(said: AsyncGenerator<Said>, name: string): Promise<Said> {
  for (;;) {
    const { done, value } = await said.next();
    if (done) throw new Error(`the stream ended before ${name}`);
    if (value.event === name) return value;
  }
}

describe("what happens now", () => {
  let filled: FilledStore;
  let server: ReturnType<typeof Bun.serve>;
  const ending = new AbortController();
  beforeAll(async () => {
    filled = await filledStore();
    const log = memoryLog(new Map(), { topic: "weir.events" });
    await log.create();
    const app = createApi({
      store: filled.store,
      reader: await log.reader(),
      edgeSecrets: [],
      clock: systemClock,
      meter: silentMeter,
      logger: silentLogger,
      ready: async () => {},
      freshSeconds: () => 3,
      conversionTypes: ["purchase"],
      ending: ending.signal,
    });
    server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => app.fetch(request) });
  }, 180_000);
  afterAll(async () => {
    await server?.stop(true);
    await filled?.close();
  });

  const get = (query: string, init?: RequestInit) => fetch(new URL(`/v1/live${query}`, server.url), init);
  const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();
  const windowsOf = (said: Said): unknown[] =>
    (JSON.parse(said.data) as Answer).data.map((row) => [row["window"], row["events"]]);

  it("is answered once, as JSON or CSV", async () => {
    await filled.addEvents([
      { at: ago(20_000), type: "purchase", user: "ada" },
      { at: ago(100_000), type: "view", user: "ada" },
      { at: ago(600_000), type: "view", anonymous: "a-1" },
      { at: ago(4_000_000), type: "view", user: "eve" },
    ]);
    const rows = [
      { window: "1m", active_users: 1, events: 1, conversions: 1 },
      { window: "5m", active_users: 1, events: 2, conversions: 1 },
      { window: "15m", active_users: 2, events: 3, conversions: 1 },
      { window: "1h", active_users: 2, events: 3, conversions: 1 },
    ];
    const answer = (await (await get("?once=1")).json()) as Answer;
    expect(answer.data).toEqual(rows);
    expect(answer.meta).toMatchObject({ events_per_second: 0, freshness_seconds: 3 });
    expect(Date.parse(answer.meta.to!) - Date.parse(answer.meta.from!)).toBe(3_600_000);
    const accepted = await get("?users=identified", { headers: { accept: "application/json" } });
    expect(((await accepted.json()) as Answer).data[3]).toMatchObject({ active_users: 1, events: 2 });
    const csv = await get("?format=csv&types=view");
    expect((await csv.text()).split("\r\n").slice(0, 3)).toEqual([
      "window,active_users,events,conversions",
      "1m,0,0,0",
      "5m,1,1,0",
    ]);
    expect((await get("?users=linked")).status).toBe(400);
  });

  it("is a stream that tells what is new, and who did it where that is asked for", async () => {
    const response = await get("?events=1&types=click");
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const said = read(response.body!);
    expect((await said.next()).value).toEqual({ event: "retry", id: undefined, data: "2000" });
    const first = await next(said, "windows");
    expect(windowsOf(first)).toEqual(["1m", "5m", "15m", "1h"].map((name) => [name, 0]));
    expect(Number(first.id)).toBeCloseTo(Date.now() / 1_000, -2);
    await filled.addEvents([
      { at: ago(2_000), type: "click", user: "ada" },
      { at: ago(2_000), type: "view", user: "eve" },
    ]);
    const windows = await next(said, "windows");
    const events = await next(said, "events");
    expect(windowsOf(windows)[0]).toEqual(["1m", 1]);
    const tail = JSON.parse(events.data) as { events: TailEvent[]; dropped: number };
    expect(tail.events.map(({ type, user_id: user }) => [type, user])).toEqual([["click", "ada"]]);
    expect(tail.dropped).toBe(0);
    await said.return(undefined);
  }, 30_000);

  it("ends at the end", async () => {
    const said = read((await get("")).body!);
    await next(said, "windows");
    const began = performance.now();
    ending.abort();
    while (!(await said.next()).done);
    expect(performance.now() - began).toBeLessThan(2_000);
    const refused = await get("");
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ code: "shutting_down" });
  }, 30_000);
});

describe("those who listen", () => {
  const closes: (() => void)[] = [];
  afterEach(() => {
    for (const close of closes.splice(0)) close();
  });

  const meta = { from: null, to: "2026-01-01T00:00:00.000Z", as_of: "2026-01-01T00:00:00.000Z" };
  const nobody = { events: [], stored: new Map() };

  /** `data` is what each look answers. */
  function listeners(data: () => unknown) {
    const counts = { looks: 0, forgotten: 0 };
    const live: Live = {
      async look() {
        counts.looks += 1;
        const rows = data() as Answer["data"];
        return { tail: nobody, answer: () => ({ data: rows, meta: { ...meta, watermark: null } }) };
      },
      forget: () => {
        counts.forgotten += 1;
      },
    };
    const made = createListeners(live, quick);
    closes.push(() => made.close());
    const listen = (types = ["view"], signal = new AbortController().signal) =>
      made.listen({ users: "all", types, withEvents: false }, signal);
    return { counts, listen };
  }

  it("share one look, and are told only of what is new, but hear something at times", async () => {
    const { counts, listen } = listeners(() => [{ events: 1 }]);
    const all = [listen(), listen(), listen()].map(read);
    const heard = await Promise.all(all.map((said) => next(said, "comment")));
    expect(heard[0]!.data).toBe("nothing has changed");
    // Ten seconds of silence are ten looks, however many listen.
    expect(counts.looks).toBeLessThan(25);
    await Promise.all(all.map((said) => said.return(undefined)));
  });

  it("are so many at most, with so many different questions", () => {
    const full = listeners(() => []);
    for (let count = 0; count < listenersMax; count += 1) full.listen();
    expect(() => full.listen()).toThrow("100 streams");
    const varied = listeners(() => []);
    for (let count = 0; count < questionsMax; count += 1) varied.listen([`type-${count}`]);
    expect(() => varied.listen(["another"])).toThrow(WeirError);
    varied.listen(["type-3"]);
  });

  it("are dropped where they do not read, and nobody looks for nobody", async () => {
    let made = 0;
    const { counts, listen } = listeners(() => {
      made += 1;
      return [{ events: made, text: "x".repeat(50_000) }];
    });
    const unread = listen();
    await until("nobody listens", 10_000, () => counts.forgotten === 1);
    // 256 KiB hold five of them.
    expect(counts.looks).toBeLessThan(10);
    let bytes = 0;
    for await (const some of unread as unknown as AsyncIterable<Uint8Array>) bytes += some.length;
    expect(bytes).toBeLessThan(400_000);
  });

  it("leave by their signal or by reading no further", async () => {
    const { counts, listen } = listeners(() => []);
    const left = new AbortController();
    const [first, second] = [read(listen(["a"], left.signal)), read(listen(["b"]))];
    await Promise.all([next(first, "windows"), next(second, "windows")]);
    left.abort();
    await second.return(undefined);
    await until("nobody listens", 10_000, () => counts.forgotten === 1);
  });

  it("are told once that the store is away, and go on when it is back", async () => {
    let isAway = false;
    const { listen } = listeners(() => {
      if (isAway) throw new WeirError("store_unavailable", "The store does not answer.");
      return [{ events: 1 }];
    });
    const said = read(listen());
    await next(said, "windows");
    isAway = true;
    const fault = await next(said, "fault");
    expect(JSON.parse(fault.data)).toEqual({
      code: "store_unavailable",
      detail: "The store does not answer.",
    });
    isAway = false;
    expect((await next(said, "windows")).data).toContain('"events":1');
    await said.return(undefined);
  });
});
