// Where the time of a request goes: each step of edge and collector alone, over the same bodies, in this process.
import { claim, requestFor } from "../../collector/claim.ts";
import { claimPrefix, openClaims } from "../../collector/claims/open.ts";
import { hash } from "../../edge/adapter/bun.ts";
import { createColumns } from "../../edge/columns.ts";
import { decode } from "../../edge/decode.ts";
import { native } from "../../edge/dialect/native.ts";
import { keyEvents } from "../../edge/key.ts";
import { normalise } from "../../edge/normalise.ts";
import { systemClock } from "../../shared/clock.ts";
import { requestEventsMax } from "../../shared/limits.ts";
import { openLog } from "../../shared/log/open.ts";
import { type Batch, packBatch, unpackBatch } from "../../shared/wire/batch.ts";
import { partitionOf } from "../../shared/wire/partition.ts";
import { packRecord } from "../../shared/wire/record.ts";
import { createSigner } from "../../shared/wire/signature.ts";
import { median, spend } from "./bench.ts";
import { makeBodies } from "./http-load.ts";

export interface StepPlaces {
  logUrl: string;
  topic: string;
  claimsUrl: string;
}

const passes = 15;
const requests = 60;
/** Passes before the first that counts: the compiler needs them. */
const warmUp = 5;
/** What two processes have and one has not. */
export const hopStep = "hop of two processes: pack, sign, verify, unpack";
const parsing = "JSON.parse";
const decoding = "decode, beyond JSON.parse";
/** Batches handed to claims and log at once, as a busy collector does. */
const atOnce = 4;

/** µs of processor time an event, by step; `requestEvents` in a request, `batchRequests` of them in a batch. */
export async function measureSteps(
  places: StepPlaces,
  requestEvents: number,
  batchRequests: number,
): Promise<Map<string, number>> {
  const log = await openLog(places.logUrl, { topic: places.topic, replication: 1, allowWeak: true });
  const producer = await log.producer();
  const claims = await openClaims(places.claimsUrl, { prefix: claimPrefix(producer.identity) });
  const signer = await createSigner(["a secret of the benchmarks alone"]);
  const taken = new Map<string, number[]>();
  const events = requests * requestEvents;
  const step = async <T>(name: string, work: () => T): Promise<Awaited<T>> => {
    let made: Awaited<T> | undefined;
    const { cpuMs } = await spend(async () => {
      made = await work();
    });
    taken.set(name, [...(taken.get(name) ?? []), (cpuMs * 1000) / events]);
    return made as Awaited<T>;
  };
  for (let pass = -warmUp; pass < passes; pass += 1) {
    if (pass === 0) taken.clear();
    const bodies = makeBodies(events, requestEvents);
    const decoder = new TextDecoder();
    await step(parsing, () => bodies.map((body) => JSON.parse(decoder.decode(body))));
    const decoded = await step(decoding, () => bodies.map((body) => decode(body, "json", requestEventsMax)));
    const given = { ...circumstances, receivedAt: systemClock.now() };
    const normalised = await step("normalise", () =>
      decoded.map((one) => one.events.map((event) => normalise(event, given))),
    );
    const keyed = await step("key", () =>
      Promise.all(normalised.map((list) => keyEvents(list, refused, hash))),
    );
    const batches = await step("batch", () => gather(keyed, batchRequests, given.receivedAt));
    await step(hopStep, () =>
      inTurn(batches, async (batch) => {
        const bytes = packBatch(batch);
        await signer.verify(await signer.sign(bytes, 0), bytes, 0);
        unpackBatch(bytes);
      }),
    );
    await step("claim and settle", () =>
      inTurn(batches, async (batch) => {
        const request = requestFor(batch, systemClock.random(8), () => true);
        if ((await claim(claims, request)) === undefined) throw new Error("the claims did not answer");
        await claims.settle(request);
      }),
    );
    let number = 0;
    await step("record and publish", () =>
      inTurn(batches, async (batch) => {
        number += 1;
        const receipt = { collector: "bench", start: 1, number, lowestOpen: number, givenUp: [] };
        const record = packRecord(batch, new Uint8Array(batch.count), receipt);
        await producer.publish(partitionOf(batch.batchId, producer.identity.partitions), record);
      }),
    );
  }
  await claims.close();
  await producer.close();
  const steps = new Map([...taken].map(([name, figures]) => [name, median(figures)]));
  // The floor has read and parsed the body already.
  steps.set(decoding, steps.get(decoding)! - steps.get(parsing)!);
  steps.delete(parsing);
  return steps;
}

const circumstances = {
  project: "bench",
  dialect: native,
  identity: undefined,
  historical: true,
  receivedAt: 0,
  sentAt: undefined,
  suspectText: false,
  // An edge gives every request an id, which is kept in each event's context.
  requestId: "01939f6e-7b00-7000-8000-000000000000",
  traceId: undefined,
};

const refused = {
  project: "bench",
  historical: true,
  eventId: () => undefined,
  original: () => new Uint8Array(),
};

type Keyed = Awaited<ReturnType<typeof keyEvents>>;

async function gather(
  requestsKeyed: readonly Keyed[],
  batchRequests: number,
  receivedAt: number,
): Promise<Batch[]> {
  const batches: Batch[] = [];
  for (let at = 0; at < requestsKeyed.length; at += batchRequests) {
    const part = requestsKeyed.slice(at, at + batchRequests);
    const columns = createColumns(part[0]!.length);
    for (const event of part.flat()) columns.append(event);
    const batchId = systemClock.random(16);
    const head = { batchId, project: "bench", edge: "bench", receivedAt, traceparent: null };
    batches.push(await columns.seal(head, hash));
  }
  return batches;
}

async function inTurn(batches: readonly Batch[], work: (batch: Batch) => Promise<void>): Promise<void> {
  const rest = batches.values();
  const lane = async (): Promise<void> => {
    for (const batch of rest) await work(batch);
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}
