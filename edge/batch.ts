// Batch: group commit. Requests of one project that come close together share a batch, and so one record.
import type { Clock } from "../shared/clock.ts";
import { equalConstantTime } from "../shared/event/bytes.ts";
import type { Hash } from "../shared/event/hash.ts";
import { writeId } from "../shared/event/identity.ts";
import { batchEventsMax, batchesInFlightMax, batchWaitMs } from "../shared/limits.ts";
import type { Meter } from "../shared/meter.ts";
import { WeirError } from "../shared/problem.ts";
import { type BatchAnswer, type CollectorPort, outcome } from "../shared/wire/batch.ts";
import { type Columns, createColumns } from "./columns.ts";
import type { KeyedEvent } from "./key.ts";

/** The events of one request, in order. */
export interface Gathering {
  project: string;
  receivedAt: number;
  traceparent: string | undefined;
  events: readonly KeyedEvent[];
  /** Events a UTC day that the project may send; null is without bound. */
  quota: number | null;
  /** Names each part's batch id, 16 bytes; such a request shares its batches with no other. */
  batchId: ((part: number) => Uint8Array) | undefined;
}

/** A run of a request's events that travelled in one batch. */
export interface Part {
  batchId: Uint8Array;
  /** Place in the request of the part's first event. */
  from: number;
  /** Its place in the batch, which other requests may share. */
  at: number;
  /** One byte an event, a value of `outcome`. */
  outcomes: Uint8Array;
}

export interface BatcherDeps {
  name: string;
  collector: CollectorPort;
  clock: Clock;
  hash: Hash;
  meter: Meter;
  /** False where a request may not wait for another one's work, as in a plain Worker. */
  groupCommit: boolean;
}

export interface Batcher {
  /**
   * Resolves once the collector has every event of the request. Rejects with `overloaded` or
   * `shutting_down` before anything is sent, or with the collector's error; then some parts may have
   * been taken, and the request may be sent again as a whole.
   */
  add(gathering: Gathering): Promise<Part[]>;
  /** Takes nothing more, and resolves when every batch has its answer. */
  close(): Promise<void>;
}

type PlacedPart = Omit<Part, "outcomes"> & { outcomes: Promise<Uint8Array> };

interface OpenBatch {
  batchId: Uint8Array;
  gathering: Gathering;
  columns: Columns;
  answer: PromiseWithResolvers<BatchAnswer>;
}

export function createBatcher(deps: BatcherDeps): Batcher {
  const open = new Map<string, OpenBatch>();
  const sending = new Map<string, number>();
  const held = new Set<Promise<unknown>>();
  let isClosed = false;

  return {
    async add(gathering) {
      if (isClosed) throw new WeirError("shutting_down", "This edge is ending; send to another one.");
      if (held.size >= batchesInFlightMax) {
        throw new WeirError("overloaded", "Too many batches wait for the collector.");
      }
      return Promise.all(place(gathering).map(async (part) => ({ ...part, outcomes: await part.outcomes })));
    },
    async close() {
      isClosed = true;
      for (const batch of [...open.values()]) send(batch);
      await Promise.allSettled(held);
    },
  };

  // Puts the events into the project's open batch and into new ones behind it.
  function place(gathering: Gathering): PlacedPart[] {
    const { events, project } = gathering;
    const isShared = deps.groupCommit && gathering.batchId === undefined;
    const parts: PlacedPart[] = [];
    const isBusy = sending.has(project);
    let batch = isShared ? open.get(project) : undefined;
    let from = 0;
    while (from < events.length) {
      batch ??= begin(gathering, parts.length, events.length - from);
      const first = batch.columns.count;
      let next = from;
      while (next < events.length && batch.columns.append(events[next]!)) next += 1;
      const count = next - from;
      if (count > 0) {
        const outcomes = batch.answer.promise.then((answer) => answer.outcomes.slice(first, first + count));
        parts.push({ batchId: batch.batchId, from, at: first, outcomes });
      }
      from = next;
      if (from === events.length) break;
      send(batch);
      batch = undefined;
    }
    if (batch !== undefined) settle(batch, isShared && isBusy);
    return parts;
  }

  function begin(gathering: Gathering, part: number, expected: number): OpenBatch {
    const batchId = gathering.batchId?.(part) ?? newBatchId(deps.clock);
    const answer = Promise.withResolvers<BatchAnswer>();
    const done = answer.promise.catch(() => undefined).finally(() => held.delete(done));
    held.add(done);
    deps.meter.set("weir.edge.batches.in_flight", held.size);
    return { batchId, gathering, columns: createColumns(expected), answer };
  }

  // A lone request has nobody to wait for; while another batch of its project is on its way, it waits for
  // company, since many small records cost the log more than a few milliseconds cost the client.
  function settle(batch: OpenBatch, waits: boolean): void {
    const { project } = batch.gathering;
    if (!waits || batch.columns.count >= batchEventsMax) send(batch);
    else if (open.get(project) !== batch) {
      open.set(project, batch);
      void deps.clock.sleep(batchWaitMs).then(() => {
        if (open.get(project) === batch) send(batch);
      });
    }
  }

  function send(batch: OpenBatch): void {
    const { project } = batch.gathering;
    if (open.get(project) === batch) open.delete(project);
    sending.set(project, (sending.get(project) ?? 0) + 1);
    forward(batch)
      .then(batch.answer.resolve, batch.answer.reject)
      .finally(() => {
        const left = sending.get(project)! - 1;
        if (left === 0) sending.delete(project);
        else sending.set(project, left);
        deps.meter.set("weir.edge.batches.in_flight", held.size);
      });
  }

  async function forward(open: OpenBatch): Promise<BatchAnswer> {
    const { project, receivedAt, traceparent = null, quota } = open.gathering;
    const head = { batchId: open.batchId, project, edge: deps.name, receivedAt, traceparent, quota };
    const batch = await open.columns.seal(head, deps.hash);
    deps.meter.record("weir.edge.batch.events", batch.count);
    deps.meter.record("weir.edge.batch.size", open.columns.bytes);
    const startedAt = deps.clock.now();
    let code = "ok";
    try {
      return checked(await deps.collector.send(batch), batch.batchId, batch.count);
    } catch (error) {
      code = error instanceof WeirError ? error.code : "internal";
      throw error;
    } finally {
      const seconds = (deps.clock.now() - startedAt) / 1000;
      deps.meter.record("weir.edge.forward.duration", seconds, { "weir.code": code });
    }
  }
}

/** A batch id of now, 16 bytes. */
export function newBatchId(clock: Clock): Uint8Array {
  const id = new Uint8Array(16);
  writeId(id, 0, clock.now(), clock.random(10));
  return id;
}

// An answer for another batch, or of another length, would acknowledge events nobody has.
function checked(answer: BatchAnswer, batchId: Uint8Array, count: number): BatchAnswer {
  const isOurs =
    equalConstantTime(answer.batchId, batchId) &&
    answer.outcomes.length === count &&
    answer.outcomes.every((code) => code <= outcome.refused);
  if (isOurs) return answer;
  throw new WeirError("log_unavailable", "The collector's answer does not belong to the batch.");
}
