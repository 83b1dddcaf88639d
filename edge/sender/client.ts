// The server client: events from any runtime to the edge, each stored once however often it has to be sent.
import { createPump } from "./pump.ts";
import { createQueue } from "./queue.ts";
import { sendOnce, type Waiting } from "./request.ts";
import type { Beside, Client, ClientOptions, Counts, LossReason, Payloads, Tracked } from "./types.ts";
import { atExit } from "./wait.ts";

export type { Declaration, EventsOf } from "./schema-types.ts";
export type * from "./types.ts";

/** What an edge takes in one body, less room for the rest of it. */
const eventBytesMax = 1_000_000;

const encoder = new TextEncoder();

/**
 * Makes a client. `Events` maps event types to their payloads, by hand or by `EventsOf`. What is tracked is
 * sent in order, one request at a time, until the edge has it; nothing outlives the process.
 */
export function createClient<Events extends Payloads = Payloads>(options: ClientOptions): Client<Events> {
  // By stream and number the edge sees whether something of this client is missing.
  const streamId = crypto.randomUUID();
  const queue = createQueue(options.queueEventsMax ?? 10_000, options.queueBytesMax ?? 32 * 1024 * 1024);
  const counts = { tracked: 0, accepted: 0, duplicate: 0, quarantined: 0, lost: 0 };
  const request = {
    url: `${options.url.replace(/\/+$/, "")}/v1/events`,
    writeKey: options.writeKey,
    timeoutMs: options.requestTimeoutMs ?? 15_000,
    fetch: options.fetch ?? ((asked: Request) => fetch(asked)),
  };
  const pump = createPump({
    queue,
    batchEventsMax: Math.min(options.batchEventsMax ?? 100, 1_000),
    batchWaitMs: options.batchWaitMs ?? 1_000,
    send: (events) => sendOnce(events, request),
    onSafe(events, { accepted, duplicate, quarantined, errors }) {
      counts.accepted += accepted;
      counts.duplicate += duplicate;
      counts.quarantined += quarantined;
      for (const { index, code, pointer, detail } of errors) {
        const event_id = events[index]?.eventId;
        if (event_id !== undefined) tell(options.onQuarantined, { event_id, code, pointer, detail });
      }
    },
    onRefused: (event) => lose(event, "refused"),
    onFailure: ({ status, detail }, attempts) => tell(options.onFailure, { status, detail, attempts }),
  });
  const exitTimeoutMs = options.exitTimeoutMs ?? 5_000;
  const stay = exitTimeoutMs === 0 ? undefined : atExit(() => void close({ timeoutMs: exitTimeoutMs }));
  let isClosed = false;
  const countsNow = (): Counts => ({ ...counts, waiting: queue.length });

  return {
    track: track as Client<Events>["track"],
    flush: ({ timeoutMs = 10_000 } = {}) => pump.flush(timeoutMs),
    close,
    counts: countsNow,
  };

  function track(event: Beside & { type: string }): Tracked {
    counts.tracked += 1;
    const eventId = event.event_id ?? crypto.randomUUID();
    const text = textOf(event, eventId);
    const waiting = { eventId, text: text ?? "", bytes: encoder.encode(text).length };
    const reason = text === undefined ? "not_json" : put(waiting);
    if (reason === undefined) return { queued: true, event_id: eventId };
    lose(waiting, reason);
    return { queued: false, event_id: eventId, reason };
  }

  // What was lost before is declared with the next event, as a number that only grows.
  function textOf(event: Beside & { type: string }, eventId: string): string | undefined {
    const lost = counts.lost === 0 ? {} : { lost: counts.lost };
    const context = { ...options.context, ...event.context, ...lost };
    const named = { event_id: eventId, timestamp: event.timestamp ?? new Date() };
    try {
      return JSON.stringify({ ...event, ...named, stream_id: streamId, seq: counts.tracked, context });
    } catch {
      return undefined;
    }
  }

  function put(event: Waiting): LossReason | undefined {
    if (isClosed) return "closed";
    if (event.bytes > eventBytesMax) return "too_large";
    if (!queue.put(event)) return "queue_full";
    pump.schedule();
    return undefined;
  }

  function lose({ eventId, text }: Waiting, reason: LossReason): void {
    counts.lost += 1;
    tell(options.onLost, { event_id: eventId, reason, text });
  }

  async function close({ timeoutMs = 10_000 }: { timeoutMs?: number } = {}): Promise<Counts> {
    isClosed = true;
    stay?.();
    await pump.flush(timeoutMs);
    pump.stop();
    const left = queue.head(queue.length, Number.POSITIVE_INFINITY);
    queue.drop(left.length);
    for (const event of left) lose(event, "closed");
    return countsNow();
  }
}

// What a program's own function throws is the program's to hear of, and not for the sending to suffer.
function tell<T>(listener: ((value: T) => void) | undefined, value: T): void {
  try {
    listener?.(value);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
