// Three processes of their own on Redis, Kafka and TimescaleDB: every event once, and all of it provable.
import { afterAll, beforeAll, expect, it } from "vitest";
import { foldAll } from "../support/fold-all.ts";
import { retail, retailSample } from "../support/retail.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { startThreeProcesses, succeeded, type ThreeProcesses } from "../support/three-processes.ts";
import { until } from "../support/until.ts";
import { compareWithFacts } from "./retail-facts.ts";

const minutes = 10 * 60_000;
const windowMs = 5 * 60_000;

describeWith(["redis", "kafka", "timescale"], "three processes on real services", () => {
  let weir: ThreeProcesses;
  beforeAll(async () => {
    weir = await startThreeProcesses(
      { log: serviceUrl("kafka"), claims: serviceUrl("redis"), store: serviceUrl("timescale") },
      ["retail", "growth", "traced", "bad", "shared"],
    );
  }, minutes);
  afterAll(() => weir?.close());

  const stored = (project: string): Promise<number> =>
    weir.store.sql`select count(*)::int as held from events where project_id = ${project}`.then(
      ([row]) => row?.["held"] as number,
    );
  const allStored = (project: string, events: number): Promise<void> =>
    until(`${events} of ${project} are stored`, 20_000, async () => (await stored(project)) >= events);

  it(
    "store a file and its copies once, prove it, and answer as its facts say",
    async () => {
      // Whole where time is too: test/answers has it whole always.
      const { file, facts } = process.env["WEIR_TEST_LONG"] === "1" ? retail() : retailSample();
      const key = weir.keyOf("retail");
      const sent = await weir.load("retail", key, ["--file", file, "--duplicate", "0.142"]);
      expect(succeeded(sent).result).toMatchObject({ failed: 0, ok: true });
      const copies = sent.result["copies"];
      expect(copies).toBeGreaterThan(facts.rows / 10);
      const found = await weir.weir(
        "load",
        "verify",
        weir.account("retail"),
        "--project",
        "retail",
        "--json",
      );
      expect(found.code, found.said).toBe(0);
      expect(found.result).toMatchObject({
        distinct_sent: facts.rows,
        stored: facts.rows,
        missing: 0,
        extra: 0,
        copies_sent: copies,
        duplicate: copies,
        mismatches: [],
        reconcile_ok: true,
        ok: true,
      });
      await foldAll(weir.store);
      expect(await compareWithFacts(weir.aggregator.url, facts, "retail")).toEqual([]);
      const reconciled = await weir.weir("reconcile", "--json");
      expect(reconciled.code, reconciled.said).toBe(0);
      expect(reconciled.result).toMatchObject({ ok: true, lost: 0, in_flight: 0, stored: facts.rows });
    },
    minutes,
  );

  it("take a growth event once within its window, whatever its time", async () => {
    const key = weir.keyOf("growth");
    const begin = Math.floor(Date.now() / windowMs) * windowMs - windowMs;
    const send = async (client_timestamp: string, session: string): Promise<Record<string, unknown>> => {
      const event = { user_id: "ada", event_type: "app_open", client_timestamp, payload: { session } };
      const answer = await weir.post("/v1/growth-events", key, { events: [event] });
      expect(answer.status).toBe(202);
      return (await answer.json()) as Record<string, unknown>;
    };
    const at = (ms: number): string => new Date(begin + ms).toISOString();
    expect(await send(at(1_000), "one")).toMatchObject({ accepted: 1, duplicate: 0 });
    expect(await send(at(1_000), "one")).toMatchObject({ accepted: 0, duplicate: 1 });
    expect(await send(at(windowMs - 1), "one")).toMatchObject({ accepted: 0, duplicate: 1 });
    expect(await send(at(1_000), "two")).toMatchObject({ accepted: 1, duplicate: 0 });
    expect(await send(at(windowMs), "one")).toMatchObject({ accepted: 1, duplicate: 0 });
    await allStored("growth", 3);
    const rows = await weir.store.sql`
      select type, event_time, identity from events where project_id = 'growth' order by event_time`;
    expect(rows.map((row) => [row["type"], row["event_time"].getTime() - begin, row["identity"]])).toEqual([
      ["app_open", 0, "window"],
      ["app_open", 0, "window"],
      ["app_open", windowMs, "window"],
    ]);
  });

  it("carry a request's trace to the ledger and to the event", async () => {
    const key = weir.keyOf("traced");
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    const traceparent = `00-${trace}-00f067aa0ba902b7-01`;
    const headers = { traceparent, "x-request-id": "order-7" };
    // Where a client is, its own word does not say: the project has not asked to believe it.
    const event = { event_id: "1", type: "signup", user_id: "ada", context: { country: "DE", plan: "pro" } };
    const answer = await weir.post("/v1/events", key, { events: [event] }, headers);
    expect(answer.headers.get("x-request-id")).toBe("order-7");
    const { batch_id: batchId } = (await answer.json()) as { batch_id: string };
    await allStored("traced", 1);
    expect([...(await weir.store.sql`select traceparent from ledger where batch_id = ${batchId}`)]).toEqual([
      { traceparent },
    ]);
    expect([...(await weir.store.sql`select context from events where project_id = 'traced'`)]).toEqual([
      { context: { plan: "pro", device: "server", trace_id: trace, request_id: "order-7" } },
    ]);
  });

  it("keep a bad event's own bytes in quarantine, and take its neighbours", async () => {
    const key = weir.keyOf("bad");
    const bad = '{ "type" : "signup",  "user_id": "ada", "timestamp": "2026-11-01 12:00:00" }';
    const body = `{"events":[{"event_id":"1","type":"signup"},${bad},{"event_id":"2","type":"signup"}]}`;
    const answer = await weir.post("/v1/events", key, body);
    expect(answer.status).toBe(202);
    const answered = (await answer.json()) as { batch_id: string };
    expect(answered).toMatchObject({
      received: 3,
      accepted: 2,
      quarantined: 1,
      errors: [{ index: 1, code: "timestamp_without_offset", pointer: "/timestamp" }],
    });
    await allStored("bad", 2);
    const kept = await weir.store.sql`
      select batch_id, index, reason, convert_from(original, 'utf8') as original
      from quarantine where project_id = 'bad'`;
    expect([...kept]).toEqual([
      { batch_id: answered.batch_id, index: 1, reason: "timestamp_without_offset", original: bad },
    ]);
  });

  it(
    "share the work among two of each, and still count every event once",
    async () => {
      const { file, facts } = retailSample();
      const key = weir.keyOf("shared");
      const edges = [weir.edge, await weir.another()];
      const words = ["--file", file, "--duplicate", "0.142", "--batch", "40"];
      const loads = await Promise.all(
        edges.map((edge, at) => weir.load(`shared-${at}`, key, [...words, "--seed", `${at}`], edge)),
      );
      const sent = loads.reduce((sum, load) => sum + Number(succeeded(load).result["sent"]), 0);
      await allStored("shared", facts.rows);
      await until("the ledger has it all", 20_000, async () => {
        const [row] = await weir.store.sql`
          select coalesce(sum(received), 0)::int as received, coalesce(sum(stored), 0)::int as stored,
            coalesce(sum(duplicate), 0)::int as duplicate, coalesce(sum(quarantined), 0)::int as quarantined
          from ledger_outcomes where project_id = 'shared'`;
        if (row?.["received"] !== sent) return false;
        expect({ ...row }).toEqual({
          received: sent,
          stored: facts.rows,
          duplicate: sent - facts.rows,
          quarantined: 0,
        });
        return true;
      });
      expect(await stored("shared")).toBe(facts.rows);
      const [writers] = await weir.store.sql`
        select count(distinct collector)::int as collectors from ledger where project_id = 'shared'`;
      expect(writers?.["collectors"]).toBe(2);
      const reconciled = await weir.weir("reconcile", "--json");
      expect(reconciled.code, reconciled.said).toBe(0);
      expect(reconciled.result).toMatchObject({ ok: true, lost: 0, in_flight: 0 });
    },
    minutes,
  );
});
