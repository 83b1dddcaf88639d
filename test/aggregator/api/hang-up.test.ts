// Whoever hangs up before the answer: the statement ends, and so does everything the question held.

import type { Sql } from "postgres";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createApi } from "../../../aggregator/api/app.ts";
import { type Ask, createAsk } from "../../../aggregator/api/ask.ts";
import { createToken } from "../../../aggregator/tokens.ts";
import { systemClock } from "../../../shared/clock.ts";
import type { LogReader } from "../../../shared/log/log.ts";
import { memoryLog } from "../../../shared/log/memory.ts";
import { type Logger, silentLogger } from "../../../shared/logger.ts";
import { type Meter, silentMeter } from "../../../shared/meter.ts";
import { createSigner, signatureHeader } from "../../../shared/wire/signature.ts";
import { until } from "../../support/until.ts";
import { type FilledStore, filledStore } from "../read/filled-store.ts";

const secret = "a secret of the edges";
const july = "from=2026-07-01&to=2026-07-31";
/** As many as the API answers at once. */
const askedMax = 32;

let filled: FilledStore;
let reader: LogReader;
/** Looks at the server from outside of the pool. */
let outside: Sql;
let token: string;
let server: ReturnType<typeof Bun.serve>;
let codes: unknown[];
let failures: unknown[];

beforeAll(async () => {
  filled = await filledStore();
  const log = memoryLog(new Map(), { topic: "weir.events" });
  await log.create();
  reader = await log.reader();
  await filled.addEvents([{ at: "2026-07-01T10:00:00Z", type: "signup", user: "ada" }]);
  outside = await filled.store.writer();
  const made = await createToken(filled.store, { name: "blog", role: "viewer", project: "blog" }, "test");
  token = made.token;
});

afterAll(async () => {
  await outside?.end();
  await filled?.close();
});

beforeEach(() => {
  codes = [];
  failures = [];
  const meter: Meter = {
    ...silentMeter,
    record: (_, __, attributes) => void codes.push(attributes?.["weir.code"]),
  };
  const logger: Logger = { ...silentLogger, error: (...words) => void failures.push(words) };
  const { store } = filled;
  const options = { store, reader, clock: systemClock, meter, logger, edgeSecrets: [secret] };
  const api = createApi({ ...options, ready: async () => {} });
  server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: (request) => api.fetch(request) });
});

afterEach(() => server.stop(true));

const ask = (path: string, init?: RequestInit): Promise<Response> => fetch(new URL(path, server.url), init);

/** Statements that wait for a lock, of all sessions but `outside`. */
async function waiting(): Promise<number> {
  const [row] = await outside`
    select count(*)::int as count from pg_stat_activity where wait_event_type = 'Lock'`;
  return row!["count"];
}

/** Transactions that are open in any session but `outside`, whatever they do. */
async function opened(): Promise<number> {
  const [row] = await outside`
    select count(*)::int as count from pg_stat_activity
    where backend_type = 'client backend' and pid <> pg_backend_pid() and xact_start is not null`;
  return row!["count"];
}

/** Nobody reads from `table` while `work` runs. */
async function whileLocked(table: string, work: () => Promise<void>): Promise<void> {
  const session = await filled.store.writer();
  try {
    await session.begin(async (tx) => {
      await tx`lock table ${tx(table)} in access exclusive mode`;
      await work();
    });
  } finally {
    await session.end();
  }
}

/** Asks, hangs up once the statement waits, and resolves when what was asked has ended. */
async function hangUpOn(path: string, headers: Record<string, string> = {}): Promise<void> {
  const asker = new AbortController();
  const asked = ask(path, { headers, signal: asker.signal });
  await until(`${path} waits`, 5_000, async () => (await waiting()) === 1);
  asker.abort();
  await expect(asked).rejects.toThrow();
  // The one that is left holds the lock.
  await until(`${path} has ended`, 1_000, async () => (await opened()) === 1);
}

describe("a client that hangs up", () => {
  const signed = async (): Promise<Record<string, string>> => ({
    [signatureHeader]: await (await createSigner([secret])).sign(new Uint8Array(), Date.now()),
  });
  const bearer = async (): Promise<Record<string, string>> => ({ authorization: `Bearer ${token}` });
  const nothing = async (): Promise<Record<string, string>> => ({});

  it.each([
    [`/v1/events?${july}`, "events", nothing],
    [`/v1/events?${july}`, "events", bearer],
    ["/v1/completeness", "streams", nothing],
    ["/v1/ledger", "ledger", nothing],
    ["/v1/reconcile", "ledger", nothing],
    ["/v1/quarantine", "quarantine", nothing],
    ["/v1/quarantine/1", "quarantine", nothing],
    ["/v1/audit", "audit", nothing],
    ["/v1/keys", "write_keys", signed],
  ])("ends the statement of %s", async (path, table, headers) => {
    await whileLocked(table, async () => hangUpOn(path, await headers()));
    const { status } = await ask(path, { headers: await headers() });
    expect(status).toBe(path === "/v1/quarantine/1" ? 404 : 200);
    expect(codes[0]).toBe("client_closed_request");
    expect(failures).toEqual([]);
  });

  it("leaves nothing to whoever asks the same after it", async () => {
    let next: Promise<Response> | undefined;
    await whileLocked("events", async () => {
      await hangUpOn(`/v1/events?${july}`);
      next = ask(`/v1/events?${july}`);
      await until("the next one waits", 5_000, async () => (await waiting()) === 1);
    });
    expect((await next)?.status).toBe(200);
    expect(codes).toEqual(["client_closed_request", "ok"]);
  });

  it("leaves no transaction and no place taken, a hundred times", async () => {
    await whileLocked("events", async () => {
      for (let round = 0; round < 4; round += 1) {
        const asker = new AbortController();
        const asked = Array.from({ length: 25 }, (_, place) =>
          ask(`/v1/events?${july}&types=type_${place}`, { signal: asker.signal }),
        );
        const settled = Promise.allSettled(asked);
        await until("a pool of them waits", 5_000, async () => (await waiting()) === 8);
        asker.abort();
        expect((await settled).map(({ status }) => status)).toEqual(Array(25).fill("rejected"));
        await until("all have ended", 5_000, () => codes.length === 25 * (round + 1));
        expect(await opened()).toBe(1);
      }
    });
    expect(codes).toEqual(Array(100).fill("client_closed_request"));
    const next = Array.from({ length: askedMax }, (_, place) =>
      ask(`/v1/events?${july}&types=type_${place}`),
    );
    expect((await Promise.all(next)).map(({ status }) => status)).toEqual(Array(askedMax).fill(200));
    expect(await opened()).toBe(0);
    expect(failures).toEqual([]);
  });
});

describe("a question that several ask", () => {
  const never = new Promise<never>(() => {});
  const asked = (): { ask: Ask; signals: AbortSignal[]; join(key?: string): AbortController } => {
    const shared = createAsk(systemClock, silentMeter);
    const signals: AbortSignal[] = [];
    const run = (signal: AbortSignal): Promise<never> => {
      signals.push(signal);
      return never;
    };
    const join = (key = ""): AbortController => {
      const asker = new AbortController();
      void shared("events", key, run, asker.signal);
      return asker;
    };
    return { ask: shared, signals, join };
  };

  it("goes on until the last of them has hung up, and is then joined by nobody", () => {
    const { signals, join } = asked();
    const [first, second] = [join(), join()];
    first.abort();
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    second.abort();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    join();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  });

  it("takes its place until it has ended, whoever has hung up", async () => {
    const { ask: shared, join } = asked();
    for (let place = 0; place < askedMax; place += 1) join(String(place)).abort();
    await expect(shared("events", "one more", async () => 1)).rejects.toMatchObject({ code: "overloaded" });
  });

  it("is not begun for one who is gone", async () => {
    const { ask: shared } = asked();
    const begun = shared("events", "", async () => 1, AbortSignal.abort());
    await expect(begun).rejects.toMatchObject({ name: "AbortError" });
  });
});
