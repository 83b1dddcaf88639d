// How long a request waits for its acknowledgement at 1,000 events a second, with every service real.
import { openStore } from "../../aggregator/store/open.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { systemClock } from "../../shared/clock.ts";
import { serviceUrl } from "../support/services.ts";
import { type Bench, interleave, median, percentile } from "./bench.ts";
import { makeBodies, startServer } from "./http-load.ts";
import { startThree } from "./ingest-processes.ts";

const rounds = 4;
const eventsPerSecond = 1_000;
const requestEvents = 10;
/** A turn's length: 1,200 requests, so that its p95 stands on the 60 slowest. */
const turnSeconds = 12;
const goalMs = 12;
/** Every so many requests one is looked for in the store, often enough to tell 5 ms. */
const watchedEvery = 25;
const lookMs = 5;
const storedMsMax = 30_000;

export default {
  name: "ingest",
  needs: ["redis", "kafka", "timescale"],
  async run({ add, say }) {
    const three = await startThree();
    const bare = { logUrl: "", topic: "", claimsUrl: "", collectorUrl: "", secret: "", writeKey: "" };
    const floor = await startServer({ part: "floor", ...bare });
    const store = await openStore(serviceUrl("timescale"), { schema: three.schema, dataDir: "" });
    try {
      say(`${rounds} rounds of ${turnSeconds} s at ${eventsPerSecond} events/s, ${requestEvents} a request`);
      const { weir, empty } = await interleave<"weir" | "empty", Turn>(rounds, {
        weir: () => openLoop(three.edgeUrl, three.writeKey, store),
        empty: () => openLoop(floor.url, "", undefined),
      });
      const over = (turns: readonly Turn[], of: "acked" | "stored", share: number): number =>
        median(turns.map((turn) => percentile(turn[of], share)));
      const p95 = over(weir, "acked", 0.95);
      const ratio = p95 / over(empty, "acked", 0.95);
      add("from its due time to its answer, p50", over(weir, "acked", 0.5), "ms");
      add("from its due time to its answer, p95, to an empty server", p95, "ms", {
        ratio,
        goal: `≤ ${goalMs}`,
        ok: p95 <= goalMs,
      });
      add("from its due time to its answer, p99", over(weir, "acked", 0.99), "ms");
      add("an empty server under the same load, p95", over(empty, "acked", 0.95), "ms");
      add("from its due time to the table, p50", over(weir, "stored", 0.5), "ms");
      add("from its due time to the table, p95", over(weir, "stored", 0.95), "ms");
    } finally {
      await floor.stop();
      await three.stop();
      await store.sql.unsafe(`drop schema if exists ${three.schema} cascade`);
      await store.close();
    }
  },
} satisfies Bench;

/** Milliseconds from the moment each request was due, however late it left. */
interface Turn {
  acked: number[];
  stored: number[];
}

/** Sends requests at their times, whether or not those before were answered. */
async function openLoop(url: string, writeKey: string, store: Store | undefined): Promise<Turn> {
  const everyMs = (1000 * requestEvents) / eventsPerSecond;
  const bodies = makeBodies(eventsPerSecond * turnSeconds, requestEvents);
  const headers = { authorization: `Bearer ${writeKey}`, "content-type": "application/json" };
  const turn: Turn = { acked: [], stored: [] };
  const send = async (body: Uint8Array, dueAt: number, isWatched: boolean): Promise<void> => {
    const request = { method: "POST", headers, body: body as Uint8Array<ArrayBuffer> };
    const response = await fetch(`${url}/v1/events`, request);
    const answer = (await response.json()) as { accepted?: number; batch_id?: string };
    turn.acked.push(performance.now() - dueAt);
    if (response.status !== 202 || answer.accepted !== requestEvents) {
      throw new Error(`${response.status}: ${JSON.stringify(answer)}`);
    }
    if (store === undefined || !isWatched) return;
    await untilStored(store, answer.batch_id ?? "");
    turn.stored.push(performance.now() - dueAt);
  };
  const startedAt = performance.now() + everyMs;
  const sent: Promise<void>[] = [];
  for (const [number, body] of bodies.entries()) {
    const dueAt = startedAt + number * everyMs;
    const waitMs = dueAt - performance.now();
    if (waitMs > 0) await systemClock.sleep(waitMs);
    sent.push(send(body, dueAt, number % watchedEvery === 0));
    sent.at(-1)!.catch(() => {});
  }
  await Promise.all(sent);
  return turn;
}

// A batch's row in the ledger is committed with its events' rows, and found by its key.
async function untilStored(store: Store, batchId: string): Promise<void> {
  const deadline = performance.now() + storedMsMax;
  for (;;) {
    const [found] = await store.sql`select 1 from ledger where batch_id = ${batchId}`;
    if (found !== undefined) return;
    if (performance.now() > deadline) throw new Error(`batch ${batchId} was not stored`);
    await systemClock.sleep(lookMs);
  }
}
