// The closed set of what can go wrong on the wire, and its one mapping to HTTP (RFC 9457).

/** Refusals of a whole request: status, title, and whether the same request may succeed later. */
export const problems = {
  batch_malformed: [400, "The batch cannot be read", false],
  body_malformed: [400, "The body cannot be read", false],
  invalid_query: [400, "The question has a fault", false],
  unknown_write_key: [401, "The write key is not known", false],
  unauthorized: [401, "A token is needed", false],
  signature_invalid: [401, "The batch's signature does not match", false],
  signature_expired: [401, "The batch's signature is too old", true],
  forbidden: [403, "The key has no right to this", false],
  not_found: [404, "There is nothing here", false],
  batch_too_old: [410, "The batch was held back for too long", false],
  method_not_allowed: [405, "This path takes another method", false],
  body_too_large: [413, "The body is over its limit", false],
  too_many_events: [413, "The request holds more events than allowed", false],
  record_too_large: [413, "The batch is larger than the log takes", false],
  unsupported_media_type: [415, "The content type is not one of ours", false],
  unsupported_encoding: [415, "The content encoding is not one of ours", false],
  rate_limited: [429, "Too many events for this key", true],
  quota_exceeded: [429, "The project's events of the day are used up", true],
  internal: [500, "Something broke here", true],
  batch_version_unknown: [503, "The batch is newer than this collector", true],
  log_unavailable: [503, "Nothing durable can take events now", true],
  overloaded: [503, "Too much is waiting here", true],
  shutting_down: [503, "This process is ending", true],
  not_ready: [503, "This process is not ready", true],
  store_unavailable: [503, "The store does not answer", true],
  query_timeout: [504, "The question took too long", true],
} as const satisfies Record<string, readonly [number, string, boolean]>;

export type ProblemCode = keyof typeof problems;

/** Refusals of one event. A refusal is a value that travels with the batch, never an exception. */
export const refusalCodes = [
  "event_malformed",
  "event_too_large",
  "nesting_too_deep",
  "missing_field",
  "invalid_type",
  "invalid_value",
  "unknown_field",
  "number_not_representable",
  "timestamp_without_offset",
  "timestamp_invalid",
  "time_too_old",
  "time_ahead",
  "consent_missing",
  "content_forbidden",
  "schema_violation",
  "version_unknown",
] as const;

export type RefusalCode = (typeof refusalCodes)[number];

/** Why something is in quarantine: an edge's refusal, or what the store found of an event or a record. */
export const quarantineReasons = [
  ...refusalCodes,
  "conflict",
  "event_unwritable",
  "record_unreadable",
  "batch_id_reused",
  "batch_too_old",
] as const;

export type QuarantineReason = (typeof quarantineReasons)[number];

/** One event's refusal as the client sees it; `index` is its place in the request. */
export interface EventRefusal {
  index: number;
  code: RefusalCode;
  /** JSON pointer (RFC 6901) into the event, "" for the event itself. */
  pointer: string;
  detail: string;
}

/** An error that has an answer on the wire. `retryAfterMs` becomes Retry-After. */
export class WeirError extends Error {
  readonly code: ProblemCode;
  readonly retryAfterMs: number;
  constructor(code: ProblemCode, detail: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(detail, { cause: options.cause });
    this.name = "WeirError";
    this.code = code;
    this.retryAfterMs =
      options.retryAfterMs ?? (problems[code][0] === 429 || problems[code][0] === 503 ? 1000 : 0);
  }
}

/** The RFC 9457 body of a refusal. `type` is a tag URI (RFC 4151): stable, and promises no page. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance?: string;
  code: ProblemCode;
  retryable: boolean;
}

/** Makes the body for an error; what is not ours becomes `internal` and tells nothing of its inside. */
export function toProblem(error: unknown, requestId?: string): Problem {
  const known = error instanceof WeirError;
  const code: ProblemCode = known ? error.code : "internal";
  const [status, title, retryable] = problems[code];
  const problem: Problem = {
    type: `tag:weir,2026:${code}`,
    title,
    status,
    detail: known ? error.message : title,
    code,
    retryable,
  };
  return requestId === undefined ? problem : { ...problem, instance: requestId };
}

/** The whole HTTP answer for an error, with Retry-After in seconds where it applies. */
export function problemResponse(error: unknown, requestId?: string): Response {
  const problem = toProblem(error, requestId);
  const headers = new Headers({ "content-type": "application/problem+json" });
  if (requestId !== undefined) headers.set("x-request-id", requestId);
  if (error instanceof WeirError && error.retryAfterMs > 0) {
    headers.set("retry-after", String(Math.ceil(error.retryAfterMs / 1000)));
  }
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}
