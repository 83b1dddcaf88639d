// From a client's request to an answer that counts its events, at 2,000 events a second on real services.
import { openStore } from "../../aggregator/store/open.ts";
import { systemClock } from "../../shared/clock.ts";
import { serviceUrl } from "../support/services.ts";
import { type Bench, median, percentile } from "./bench.ts";
import { makeBodies } from "./http-load.ts";
import { startThree, type ThreeProcesses } from "./ingest-processes.ts";

const rounds = 3;
const eventsPerSecond = 2_000;
const requestEvents = 20;
const turnSeconds = 20;
/** Every so many requests one is followed by a probe: an event of a type of its own. */
const probedEvery = 50;
const rowsGoalMs = 1_000;
const modelsGoalMs = 3_000;
const lagGoalMs = 200;
const seenMsMax = 60_000;

export default {
  name: "queryable",
  needs: ["redis", "kafka", "timescale"],
  async run({ add, say }) {
    const three = await startThree();
    const store = await openStore(serviceUrl("timescale"), { schema: three.schema, dataDir: "" });
    try {
      say(`${rounds} rounds of ${turnSeconds} s at ${eventsPerSecond} events/s, ${requestEvents} a request`);
      const turns: Turn[] = [];
      // The first warms up.
      for (let round = 0; round <= rounds; round += 1) turns.push(await openLoop(three, round, isStored));
      const over = (name: keyof Turn, share: number): number =>
        median(turns.slice(1).map((turn) => percentile(turn[name], share)));
      const tell = (name: string, of: keyof Turn, goalMs: number): void => {
        const p95 = over(of, 0.95);
        add(`${name}, p50`, over(of, 0.5), "ms");
        add(`${name}, p95`, p95, "ms", { goal: `≤ ${goalMs}`, ok: p95 <= goalMs });
      };
      tell("from its due time to a row that a query sees", "rows", rowsGoalMs);
      tell("from its acknowledgement to that row", "lag", lagGoalMs);
      tell("from its due time to an answer out of the models", "models", modelsGoalMs);
    } finally {
      await three.stop();
      await store.sql.unsafe(`drop schema if exists ${three.schema} cascade`);
      await store.close();
    }

    // A batch's row in the ledger is committed with its events' rows, and found by its key: looking costs little.
    async function isStored(batchId: string): Promise<boolean> {
      return (await store.sql`select 1 from ledger where batch_id = ${batchId}`).length === 1;
    }
  },
} satisfies Bench;

/** Milliseconds of each probe. */
interface Turn {
  rows: number[];
  lag: number[];
  models: number[];
}

/** Sends requests at their times, whether or not those before were answered. */
async function openLoop(
  { edgeUrl, aggregatorUrl, writeKey }: ThreeProcesses,
  round: number,
  isStored: (batchId: string) => Promise<boolean>,
): Promise<Turn> {
  const everyMs = (1000 * requestEvents) / eventsPerSecond;
  const bodies = makeBodies(eventsPerSecond * turnSeconds, requestEvents);
  const headers = { authorization: `Bearer ${writeKey}`, "content-type": "application/json" };
  const turn: Turn = { rows: [], lag: [], models: [] };
  const post = async (body: BodyInit, accepted: number): Promise<string> => {
    const response = await fetch(`${edgeUrl}/v1/events`, { method: "POST", headers, body });
    const answer = (await response.json()) as { accepted?: number; batch_id?: string };
    if (response.status !== 202 || answer.accepted !== accepted) {
      throw new Error(`${response.status}: ${JSON.stringify(answer)}`);
    }
    return answer.batch_id ?? "";
  };
  const countedOf = async (type: string): Promise<number> => {
    const span = new URLSearchParams({ types: type, from: String(Date.now() - 600_000) });
    const { data } = (await (await fetch(`${aggregatorUrl}/v1/events?${span}`)).json()) as {
      data: { events: number }[];
    };
    return data.reduce((sum, row) => sum + row.events, 0);
  };
  const probe = async (type: string, dueAt: number): Promise<void> => {
    const events = [{ type, user_id: type, timestamp: new Date().toISOString() }];
    const batchId = await post(JSON.stringify({ events }), 1);
    const ackedAt = performance.now();
    await Promise.all([
      until(() => isStored(batchId), 5).then((seenAt) => {
        turn.rows.push(seenAt - dueAt);
        turn.lag.push(seenAt - ackedAt);
      }),
      until(async () => (await countedOf(type)) === 1, 50).then((seenAt) => turn.models.push(seenAt - dueAt)),
    ]);
  };
  const startedAt = performance.now() + everyMs;
  const sent: Promise<unknown>[] = [];
  for (const [number, body] of bodies.entries()) {
    const dueAt = startedAt + number * everyMs;
    const waitMs = dueAt - performance.now();
    if (waitMs > 0) await systemClock.sleep(waitMs);
    sent.push(post(body as Uint8Array<ArrayBuffer>, requestEvents));
    if (number % probedEvery === 0) sent.push(probe(`probe_${round}_${number}`, dueAt));
    for (const one of sent.slice(-2)) one.catch(() => {});
  }
  await Promise.all(sent);
  return turn;
}

async function until(isSeen: () => Promise<boolean>, lookMs: number): Promise<number> {
  const deadline = performance.now() + seenMsMax;
  for (;;) {
    if (await isSeen()) return performance.now();
    if (performance.now() > deadline) throw new Error("a probe was not seen in time");
    await systemClock.sleep(lookMs);
  }
}
