// Questions of a real streaming replica: how far it has come is told as it is, and nothing is asked elsewhere.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createApi } from "../../aggregator/api/app.ts";
import { examineStore } from "../../aggregator/command/doctor.ts";
import { migrate } from "../../aggregator/store/migrate.ts";
import { openQuestioned, openStore } from "../../aggregator/store/open.ts";
import type { Questioned } from "../../aggregator/store/replica.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { systemClock } from "../../shared/clock.ts";
import { memoryLog } from "../../shared/log/memory.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { launchPair, type Pair } from "../services/replica.ts";
import { foldAll } from "../support/fold-all.ts";
import { openProcesses } from "../support/processes.ts";
import { until } from "../support/until.ts";
import { recordOf } from "./records.ts";
import { type Hand, openHand } from "./scene.ts";

let pair: Pair;
let store: Store;
let replica: Store;
let questioned: Questioned;
let hand: Hand;
let app: ReturnType<typeof createApi>;
const settings = { WEIR_CANARY_SECONDS: 0, WEIR_FRESHNESS_MAX_SECONDS: 60 };
const options = { schema: "weir", dataDir: "" };

beforeAll(async () => {
  pair = await launchPair();
  store = await openStore(pair.primaryUrl, options);
  await migrate(store);
  hand = await openHand(store);
  await until("the replica has the schema", 30_000, async () => {
    replica ??= await openStore(pair.replicaUrl, options);
    const [row] = await replica.sql`select to_regclass('fresh_events') is not null as made`;
    return row?.["made"] === true;
  });
  questioned = openQuestioned(pair.replicaUrl, store, { clock: systemClock, ca: undefined });
  const log = memoryLog(new Map(), { topic: "weir.events" });
  await log.create();
  app = createApi({
    store,
    read: questioned.read,
    reader: await log.reader(),
    edgeSecrets: [],
    clock: systemClock,
    meter: silentMeter,
    logger: silentLogger,
    ready: async () => {},
  });
}, 60_000);

afterAll(async () => {
  await hand.close();
  await questioned.close();
  await replica.close();
  await store.close();
  await pair.close();
});

const types = (): Promise<{ data: { type: string }[]; meta: { as_of: string } }> =>
  ask("/v1/segments?by=type&from=2000-01-01");

async function ask(path: string): Promise<{ data: { type: string }[]; meta: { as_of: string } }> {
  const response = await app.request(path);
  expect(response.status, await response.clone().text()).toBe(200);
  return (await response.json()) as { data: { type: string }[]; meta: { as_of: string } };
}

/** The primary's own time, as which everything stored is told. */
async function now(): Promise<number> {
  const [row] = await store.sql`select (extract(epoch from clock_timestamp()) * 1000)::float8 as at`;
  return Number(row?.["at"]);
}

const write = async (name: string): Promise<number> => {
  await hand.write(0, recordOf([{ name, fields: { type: name } }]));
  await foldAll(store);
  return await now();
};

const holds = (name: string): (() => Promise<boolean>) => {
  return async () => JSON.stringify((await types()).data).includes(name);
};

describe("questions of a replica", () => {
  it("are as far as it has come, and tell that", async () => {
    await write("first");
    await until("the replica has it", 20_000, holds("first"));
    await replica.sql`select pg_wal_replay_pause()`;
    const before = await now();
    const written = await write("second");
    for (const path of [
      "/v1/segments?by=type&from=2000-01-01",
      "/v1/events?from=2000-01-01",
      "/v1/completeness",
    ]) {
      const { data, meta } = await ask(path);
      expect(JSON.stringify(data)).not.toContain("second");
      expect(Date.parse(meta.as_of), path).toBeLessThanOrEqual(before);
      expect(Date.parse(meta.as_of), path).toBeGreaterThan(before - 60_000);
    }
    await replica.sql`select pg_wal_replay_resume()`;
    await until(
      "it is told to be there",
      20_000,
      async () => Date.parse((await types()).meta.as_of) >= written,
    );
    expect(await holds("second")()).toBe(true);
  }, 60_000);

  it("go on telling the time while nothing is written", async () => {
    const idle = await now();
    await until("the time goes on", 20_000, async () => Date.parse((await types()).meta.as_of) > idle + 300);
  }, 30_000);

  it("never tell of a moment whose events they lack, while it is written", async () => {
    let newest = { name: "", at: Number.NEGATIVE_INFINITY };
    let isWriting = true;
    const writing = (async () => {
      for (let turn = 0; turn < 5; turn += 1)
        newest = { name: `turn-${turn}-`, at: await write(`turn-${turn}-`) };
      isWriting = false;
    })();
    let asked = 0;
    while (isWriting) {
      const { name, at } = newest;
      const { data, meta } = await types();
      if (Date.parse(meta.as_of) >= at && name !== "") expect(JSON.stringify(data)).toContain(name);
      asked += 1;
    }
    await writing;
    expect(asked).toBeGreaterThan(3);
  }, 60_000);

  it("stand still in time while the primary is away, and are still answered", async () => {
    const last = Date.parse((await types()).meta.as_of);
    await pair.stop("primary");
    const away = Date.now();
    await until("no mark is made", 20_000, async () => Date.parse((await types()).meta.as_of) >= last);
    expect(Date.parse((await types()).meta.as_of)).toBeLessThanOrEqual(away);
    await pair.start("primary");
    await until("the time goes on", 30_000, async () => Date.parse((await types()).meta.as_of) > away);
  }, 60_000);

  it("are refused while it is away; ledger, keys and health are not", async () => {
    await pair.stop("replica");
    const response = await app.request("/v1/events");
    expect([response.status, await response.json()]).toMatchObject([503, { code: "store_unavailable" }]);
    for (const path of ["/v1/ledger", "/v1/quarantine", "/v1/audit", "/readyz"]) {
      expect((await app.request(path)).status, path).toBe(200);
    }
    const found = await examineStore((url) => openStore(url ?? pair.primaryUrl, options), {
      ...settings,
      WEIR_READ_URL: pair.replicaUrl,
    });
    expect(found).toContainEqual(expect.objectContaining({ state: "ok", found: "weir_reader" }));
    expect(found.at(-1)).toMatchObject({ name: "replica", state: "bad" });
    await pair.start("replica");
    await until("it answers again", 30_000, async () => (await app.request("/v1/events")).status === 200);
  }, 60_000);

  it("are looked at by doctor", async () => {
    const look = async (readUrl: string) =>
      (
        await examineStore((url) => openStore(url ?? pair.primaryUrl, options), {
          ...settings,
          WEIR_READ_URL: readUrl,
        })
      ).at(-1);
    expect(await look(pair.replicaUrl)).toMatchObject({ state: "ok", found: /it has everything$/ });
    expect(await look(pair.primaryUrl)).toMatchObject({ state: "weak", found: /takes writes itself$/ });
  }, 30_000);

  it("are those of weir query, too", async () => {
    const processes = openProcesses();
    const urls = { WEIR_STORE_URL: pair.primaryUrl, WEIR_READ_URL: pair.replicaUrl };
    const { result } = await processes.run(["query", "select pg_is_in_recovery() as r", "--json"], urls);
    expect(result).toMatchObject({ rows: [{ r: "t" }] });
    await processes.close();
  }, 30_000);
});
