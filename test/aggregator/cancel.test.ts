// A statement that nobody waits for is ended, and never one of another transaction.
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres, { type Sql } from "postgres";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { whileWanted } from "../../aggregator/store/cancel.ts";
import { openStore } from "../../aggregator/store/open.ts";
import { openPool } from "../../aggregator/store/pool.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { copyDatabase } from "../support/embedded-database.ts";
import { until } from "../support/until.ts";

/** A request to cancel says so in its second word. */
const cancelCode = 80877102;
const dataDir = mkdtempSync(join(tmpdir(), "weir-cancel-"));

let store: Store;
let gate: Server;
let sockets: Socket[];
/** Requests to cancel that the gate has seen and, unless it is open, holds: each let through by a call. */
let held: (() => void)[];
let isOpen: boolean;
/** One connection, through the gate. */
let sql: Sql;

beforeAll(async () => {
  await copyDatabase(join(dataDir, "postgres"));
  store = await openStore("embedded:", { schema: "weir", dataDir });
});

afterAll(async () => {
  await store?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

beforeEach(async () => {
  held = [];
  isOpen = false;
  sockets = [];
  const { host, port, user, database, pass } = store.sql.options;
  gate = createServer((client) => {
    sockets.push(client);
    client.on("error", () => {});
    client.once("data", (first: Buffer) => {
      client.pause();
      const pass = (): void => {
        const server = connect(port[0]!, host[0]!);
        sockets.push(server);
        server.on("error", () => {});
        server.write(first);
        server.pipe(client);
        client.pipe(server);
      };
      if (first.readUInt32BE(4) === cancelCode && !isOpen) held.push(pass);
      else pass();
    });
  });
  await new Promise<void>((resolve) => gate.listen(0, "127.0.0.1", resolve));
  const address = gate.address() as { port: number };
  sql = openPool((onclose) =>
    postgres({
      host: "127.0.0.1",
      port: address.port,
      user: String(user),
      database: String(database),
      password: String(pass),
      max: 1,
      prepare: false,
      onclose,
    }),
  );
});

afterEach(async () => {
  await sql.end({ timeout: 0 });
  for (const socket of sockets) socket.destroy();
  gate.close();
});

const letThrough = async (): Promise<void> => {
  await until("a request to cancel is sent", 1_000, () => held.length > 0);
  held.shift()?.();
};

describe("a statement that nobody waits for", () => {
  it.each([
    ["without parameters", (tx: Sql) => tx`select pg_sleep(10)`],
    ["with parameters", (tx: Sql) => tx`select pg_sleep(${10}::int)`],
  ])("is ended, and its session is used again: %s", async (_, sleep) => {
    const pid = async () => (await sql`select pg_backend_pid() as pid`)[0]!["pid"];
    const before = await pid();
    const asker = new AbortController();
    const begun = sql.begin(whileWanted(sql, asker.signal, async (tx) => sleep(tx as unknown as Sql)));
    const refused = expect(begun).rejects.toMatchObject({ code: "57014" });
    await until("it runs", 5_000, async () => (await sleeping()) === 1);
    asker.abort();
    await letThrough();
    await refused;
    expect(await pid()).toBe(before);
  });

  it("is ended by the next request, where the first came between two statements", async () => {
    const asker = new AbortController();
    const first = Promise.withResolvers<void>();
    const begun = sql.begin(
      whileWanted(sql, asker.signal, async (tx) => {
        await tx`select 1`;
        await first.promise;
        await tx`select pg_sleep(10)`;
      }),
    );
    const refused = expect(begun).rejects.toMatchObject({ code: "57014" });
    await until("its first statement is over", 5_000, async () => (await idle()) === 1);
    asker.abort();
    await letThrough();
    await until("the request has come for nothing", 1_000, () => held.length > 0);
    first.resolve();
    await until("it runs", 5_000, async () => (await sleeping()) === 1);
    await letThrough();
    await refused;
  });

  it("is not begun where that was so before", async () => {
    const begun = sql.begin(whileWanted(sql, AbortSignal.abort(), async (tx) => tx`select pg_sleep(10)`));
    await expect(begun).rejects.toMatchObject({ name: "AbortError" });
    expect(held).toEqual([]);
  });
});

describe("a request to cancel that comes late", () => {
  it("is waited for, and ends nothing of what follows in its session", async () => {
    const asker = new AbortController();
    const work = Promise.withResolvers<string>();
    const first = sql.begin(
      whileWanted(sql, asker.signal, async (tx) => {
        await tx`select 1`;
        return await work.promise;
      }),
    );
    await until("its statement is over", 5_000, async () => (await idle()) === 1);
    asker.abort();
    await until("the request is on its way", 1_000, () => held.length > 0);
    work.resolve("done");
    const next = sql`select pg_sleep(0.5)::text as slept`;
    const slept = next.then(([row]) => row);
    await store.sql`select pg_sleep(0.1)`;
    expect([await idle(), await sleeping()]).toEqual([1, 0]);
    await letThrough();
    expect(await first).toBe("done");
    expect(await slept).toEqual({ slept: "" });
    expect(held).toEqual([]);
  });

  it("ends nothing of another, time and again", async () => {
    isOpen = true;
    let ended = 0;
    for (let round = 0; round < 300; round += 1) {
      const asker = new AbortController();
      const sleepMs = (round % 20) / 4;
      const begun = sql.begin(
        whileWanted(sql, asker.signal, async (tx) => {
          setTimeout(() => asker.abort(), 2);
          await tx`select pg_sleep(${sleepMs / 1_000}::float8)`;
        }),
      );
      await begun.catch(({ code }) => {
        expect(code).toBe("57014");
        ended += 1;
      });
      // Rejects where it is hit.
      await sql`select pg_sleep(0.0005)`;
    }
    expect(ended).toBeGreaterThan(0);
    expect(ended).toBeLessThan(300);
  });

  it("takes its session along where the server does not deal with it", async () => {
    const asker = new AbortController();
    const pids: number[] = [];
    const first = sql.begin(
      whileWanted(sql, asker.signal, async (tx) => {
        pids.push((await tx`select pg_backend_pid() as pid`)[0]!["pid"]);
        asker.abort();
        await until("the request is on its way", 1_000, () => held.length > 0);
      }),
    );
    await expect(first).rejects.toMatchObject({ code: "DEADLINE" });
    pids.push((await sql`select pg_backend_pid() as pid`)[0]!["pid"]);
    expect(pids[0]).not.toBe(pids[1]);
  });
});

const sleeping = async (): Promise<number> => count("wait_event = 'PgSleep'");
const idle = async (): Promise<number> => count("state = 'idle in transaction'");

async function count(condition: string): Promise<number> {
  const [row] = await store.sql.unsafe(`
    select count(*)::int as count from pg_stat_activity where pid <> pg_backend_pid() and ${condition}`);
  return row!["count"];
}
