// Three processes while Redis, Kafka or PostgreSQL is gone: nothing acknowledged is lost or counted twice.
import { afterAll, beforeAll, expect, it } from "vitest";
import { type RunningKafka, startKafka } from "../services/kafka.ts";
import { launchPostgres, type RunningPostgres } from "../services/postgres.ts";
import { launchRedis, type RunningRedis } from "../services/redis.ts";
import { isReady } from "../support/processes.ts";
import { retailSample } from "../support/retail.ts";
import { describeWith } from "../support/services.ts";
import { startThreeProcesses, succeeded, type ThreeProcesses } from "../support/three-processes.ts";
import { until } from "../support/until.ts";

const minutes = 5 * 60_000;

describeWith(["redis", "kafka", "postgres"], "three processes whose services go and come back", () => {
  const { file, facts } = retailSample();
  let redis: RunningRedis;
  let kafka: RunningKafka;
  let postgres: RunningPostgres;
  let weir: ThreeProcesses;

  beforeAll(async () => {
    const starting = startKafka();
    [postgres, redis] = await Promise.all([launchPostgres(), launchRedis()]);
    const started = await starting;
    if ("missing" in started) throw new Error(started.missing);
    kafka = started;
    weir = await startThreeProcesses({ log: kafka.url, claims: redis.url, store: postgres.url }, [
      "claims",
      "log",
      "store",
    ]);
  }, minutes);
  afterAll(async () => {
    await weir?.close();
    await Promise.all([redis?.stop(), kafka?.stop(), postgres?.stop()]);
  }, minutes);

  /** Sends the file slowly enough for something to happen on the way, and its copies. */
  const loadSlowly = (project: string): ReturnType<ThreeProcesses["load"]> => {
    const words = ["--file", file, "--duplicate", "0.142", "--rate", "1000", "--batch", "50"];
    return weir.load(project, weir.keyOf(project), words);
  };
  const ackedIn = (project: string, least: number): Promise<void> =>
    until(`${least} requests are acknowledged`, 30_000, () => weir.acked(project) >= least);
  const isExact = async (project: string, copies: unknown): Promise<void> => {
    const found = await weir.weir("load", "verify", weir.account(project), "--project", project, "--json");
    expect(found.code, found.said).toBe(0);
    expect(found.result).toMatchObject({
      stored: facts.rows,
      duplicate: copies,
      mismatches: [],
      reconcile_ok: true,
    });
  };

  it(
    "stay exact, and refuse nothing, when Redis is killed half-way and comes back empty",
    async () => {
      const loading = loadSlowly("claims");
      await ackedIn("claims", 25);
      await redis.stop();
      const atKill = weir.acked("claims");
      await ackedIn("claims", atKill + 10);
      redis = await launchRedis({ port: redis.port });
      const sent = succeeded(await loading).result;
      expect(sent).toMatchObject({ failed: 0, retries: 0, ok: true });
      expect(weir.collector.said()).toContain("claims_unavailable");
      await isExact("claims", sent["copies"]);
    },
    minutes,
  );

  it(
    "take events while the store is down, which crashed half-way, and store them once it is back",
    async () => {
      const loading = loadSlowly("store");
      await ackedIn("store", 20);
      await postgres.crash();
      const sent = succeeded(await loading).result;
      expect(sent).toMatchObject({ failed: 0, retries: 0, ok: true });
      await until("the aggregator says so", 30_000, async () => !(await isReady(weir.aggregator.url)));
      expect(await isReady(weir.edge.url)).toBe(true);
      await postgres.restart();
      await until("the aggregator is ready again", 60_000, () => isReady(weir.aggregator.url));
      await isExact("store", sent["copies"]);
    },
    minutes,
  );

  it(
    "answer 503 and never 2xx while the log hangs, and store the same request once afterwards",
    async () => {
      const event = { event_id: "only-one", type: "signup", user_id: "ada" };
      const send = (): Promise<Response> => weir.post("/v1/events", weir.keyOf("log"), { events: [event] });
      process.kill(kafka.pid, "SIGSTOP");
      try {
        const refused = await send();
        expect(refused.status).toBe(503);
        expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
        expect(await refused.json()).toMatchObject({ retryable: true, code: "log_unavailable" });
        expect(await isReady(weir.collector.url)).toBe(false);
      } finally {
        process.kill(kafka.pid, "SIGCONT");
      }
      await until("the request is taken", 60_000, async () => {
        const answer = await send();
        if (answer.status === 202) return true;
        expect(answer.status).toBe(503);
        return false;
      });
      const held = async (): Promise<unknown> => {
        const [row] = await weir.store.sql`
          select (select count(*)::int from events where project_id = 'log') as rows,
            coalesce(sum(stored), 0)::int as stored, coalesce(sum(received - duplicate), 0)::int as first
          from ledger_outcomes where project_id = 'log'`;
        return { ...row };
      };
      const once = { rows: 1, stored: 1, first: 1 };
      const isHeld = async (): Promise<boolean> => JSON.stringify(await held()) === JSON.stringify(once);
      await until("it is stored", 60_000, isHeld).catch(async (error: unknown) => {
        const { result } = await weir.weir("reconcile", "--json");
        const said = weir.aggregator.said().slice(-4_000);
        throw new Error(`${error}: ${JSON.stringify([await held(), result])}\n${said}`);
      });
      const reconciled = await weir.weir("reconcile", "--json");
      expect(reconciled.code, reconciled.said).toBe(0);
      expect(reconciled.result).toMatchObject({ ok: true, lost: 0, in_flight: 0 });
      expect(await held()).toEqual(once);
    },
    minutes,
  );
});
