// One request with events to the edge, and what its answer says of them.

/** An event on its way: its JSON is made once, so that every copy is the same. */
export interface Waiting {
  eventId: string;
  text: string;
  bytes: number;
}

/** One refused event of a receipt. */
export interface ReceiptError {
  index: number;
  code: string;
  pointer: string;
  detail: string;
}

/** `again` is not known to be safe; `never` will not be taken as it is, however often it is sent. */
export type Verdict =
  | {
      kind: "safe";
      accepted: number;
      duplicate: number;
      quarantined: number;
      errors: readonly ReceiptError[];
    }
  | { kind: "again"; status: number; detail: string; retryAfterMs: number }
  | { kind: "never"; status: number; detail: string };

export interface RequestDeps {
  url: string;
  writeKey: string;
  timeoutMs: number;
  fetch: (request: Request) => Promise<Response>;
}

/** Statuses that say that the request itself is at fault. A wrong key or path may be put right meanwhile. */
const neverStatuses = [400, 413, 415, 422];

/** Sends the events once. Never rejects. */
export async function sendOnce(events: readonly Waiting[], deps: RequestDeps): Promise<Verdict> {
  const text = `{"sent_at":${Date.now()},"events":[${events.map((event) => event.text).join(",")}]}`;
  let status = 0;
  try {
    const packed = await gzip(text);
    const encoding: Record<string, string> = packed === undefined ? {} : { "content-encoding": "gzip" };
    const response = await deps.fetch(
      new Request(deps.url, {
        method: "POST",
        headers: {
          authorization: `Bearer ${deps.writeKey}`,
          "content-type": "application/json",
          ...encoding,
        },
        body: packed ?? text,
        signal: AbortSignal.timeout(deps.timeoutMs),
      }),
    );
    status = response.status;
    const answer = parsed(await response.text());
    if (response.ok) return receiptOf(answer, events.length) ?? notOurs(status);
    const detail = typeof answer["code"] === "string" ? answer["code"] : `status ${status}`;
    if (neverStatuses.includes(status)) return { kind: "never", status, detail };
    return { kind: "again", status, detail, retryAfterMs: retryAfterOf(response.headers.get("retry-after")) };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    return { kind: "again", status, detail, retryAfterMs: 0 };
  }
}

/** Characters up to which a body goes as it is: one event gains less by packing than its answer waits for it. */
const plainLengthMax = 1_024;

// Undefined where it is not worth it, or where the runtime cannot.
async function gzip(text: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (text.length <= plainLengthMax || typeof CompressionStream === "undefined") return undefined;
  const packed = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

type Answer = Readonly<Record<string, unknown>>;

function parsed(text: string): Answer {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Answer) : {};
  } catch {
    return {};
  }
}

// Only a receipt for just these events says that they are safe: whoever answers 200 in the edge's place, such
// as a hotel's front page, does not.
function receiptOf(answer: Answer, count: number): Verdict | undefined {
  const { accepted, duplicate, quarantined, errors } = answer;
  const isReceipt =
    Number.isSafeInteger(accepted) &&
    Number.isSafeInteger(duplicate) &&
    Number.isSafeInteger(quarantined) &&
    (accepted as number) + (duplicate as number) + (quarantined as number) === count;
  if (!isReceipt) return undefined;
  return {
    kind: "safe",
    accepted: accepted as number,
    duplicate: duplicate as number,
    quarantined: quarantined as number,
    errors: Array.isArray(errors) ? (errors as ReceiptError[]) : [],
  };
}

const notOurs = (status: number): Verdict => ({
  kind: "again",
  status,
  detail: "the answer is no receipt for these events",
  retryAfterMs: 0,
});

/** Longer than any edge asks for; a date is not read, since it would be of another clock. */
const retryAfterMsMax = 300_000;

function retryAfterOf(header: string | null): number {
  const seconds = Number(header ?? 0);
  return seconds > 0 ? Math.min(seconds * 1_000, retryAfterMsMax) : 0;
}
