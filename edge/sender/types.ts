// What a program sees of the server client: its options, an event, and what became of one.

/** Event types and the payload of each. */
export type Payloads = Readonly<Record<string, object | undefined>>;

/** An event as it is tracked; one type of `Events`, with that type's payload. */
export type Tracking<Events> = {
  [Type in keyof Events & string]: Beside & { type: Type } & (undefined extends Events[Type]
      ? { payload?: Events[Type] }
      : { payload: Events[Type] });
}[keyof Events & string];

/** What every event may say beside its type and payload. */
export interface Beside {
  /** The event's own id, where it has one outside this program, such as an order's; a new one without it. */
  event_id?: string;
  user_id?: string;
  anonymous_id?: string;
  session_id?: string;
  aggregate_id?: string;
  /** Of the type's schema. */
  version?: number;
  /** RFC 3339 text with an offset, epoch milliseconds or a Date; the time of the call without it. */
  timestamp?: string | number | Date;
  context?: Readonly<Record<string, unknown>>;
  metadata?: Readonly<Record<string, unknown>>;
}

/**
 * Why an event will not be stored: there is no room for it here, it is over a request's bound, it has no
 * JSON form, the client was closed before the edge said to have it, or the edge refuses it whatever is tried.
 */
export type LossReason = "queue_full" | "too_large" | "not_json" | "closed" | "refused";

export interface Loss {
  event_id: string;
  reason: LossReason;
  /** The event as JSON; empty where it has no such form. */
  text: string;
}

/** `queued` means that it is sent until it is safe or reported lost. */
export type Tracked =
  | { queued: true; event_id: string }
  | { queued: false; event_id: string; reason: LossReason };

/** An event that the edge keeps aside with what is wrong with it. It is safe, and no number counts it. */
export interface Quarantined {
  event_id: string;
  code: string;
  /** JSON pointer (RFC 6901) into the event. */
  pointer: string;
  detail: string;
}

/** An attempt that failed. The same events are sent again. */
export interface Failure {
  /** Of the answer; 0 where there was none. */
  status: number;
  /** The problem's code, or what happened. */
  detail: string;
  /** How often these events have failed by now. */
  attempts: number;
}

export interface ClientOptions {
  /** The edge, `https://events.example`. */
  url: string;
  writeKey: string;
  /** Becomes part of every event's context. */
  context?: Readonly<Record<string, unknown>>;
  /** Events in one request, 1,000 at most; 100 without it. */
  batchEventsMax?: number;
  /** How long an event waits for company; 1,000 without it. */
  batchWaitMs?: number;
  /** Events that may wait here; 10,000 without it. What comes beyond is lost, and said to be. */
  queueEventsMax?: number;
  /** Bytes of those events; 32 MiB without it. */
  queueBytesMax?: number;
  /** For one request; 15,000 without it. */
  requestTimeoutMs?: number;
  /** How long the end of the program may wait for what is not sent; 5,000 without it, 0 for not at all. */
  exitTimeoutMs?: number;
  /** Called with every event that will not be stored. */
  onLost?(loss: Loss): void;
  onQuarantined?(event: Quarantined): void;
  onFailure?(failure: Failure): void;
  fetch?: (request: Request) => Promise<Response>;
}

/** Every event tracked is in exactly one of the others. */
export interface Counts {
  tracked: number;
  waiting: number;
  accepted: number;
  duplicate: number;
  quarantined: number;
  lost: number;
}

export interface Client<Events> {
  /** Takes an event, at once and without ever throwing. Later changes to the object do not reach it. */
  track(event: Tracking<Events>): Tracked;
  /** Sends at once; true when all that was tracked before is settled, false when the time was up (10 s). */
  flush(options?: { timeoutMs?: number }): Promise<boolean>;
  /** Takes nothing more, flushes, and reports what is left as lost. */
  close(options?: { timeoutMs?: number }): Promise<Counts>;
  counts(): Counts;
}
