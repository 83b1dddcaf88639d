// Sends what is pending, again and again until the edge has it or refuses it for good.
import { bodyBytesMax, encode, flying, forget, giveUp, pending } from "./queue.ts";
import { options } from "./visitor.ts";

let timer: ReturnType<typeof setTimeout> | undefined;
let isSending = false;
let failures = 0;
/** By the page's own clock, which no change of the wall clock moves. */
let notBefore = 0;
/** Bytes under way that the browser finishes after the page. */
let outliving = 0;
let leaves = 0;

/** Sends within `delayMs`, or when a wait is over that came from a failure. */
export function schedule(delayMs: number): void {
  if (!delayMs) clearTimeout(timer);
  else if (timer) return;
  const wait = (): void => {
    timer = undefined;
    void send();
  };
  timer = setTimeout(wait, Math.max(delayMs, notBefore - performance.now()));
}

/** The network is back: what failed without it says nothing of now. */
export function retryNow(): void {
  failures = notBefore = 0;
  schedule(0);
}

/**
 * Sends what fits one request and is not under way. A page that is left does so at once, without packing,
 * and whatever else is going on; what is under way is not sent again, so that many events of leaving are one.
 */
export async function send(isLeaving?: boolean): Promise<void> {
  if (isLeaving) leaves += 1;
  else if (isSending) return;
  const before = leaves;
  const names: string[] = [];
  const texts: string[] = [];
  let bytes = isLeaving ? outliving : 0;
  // A clock that was set back leaves events ahead of it; told as the time of sending, the newest of them
  // shows the edge how wrong the clock was.
  let sentAt = Date.now();
  for (const [name, text] of pending) {
    if (flying.has(name)) continue;
    bytes += encode(text).length + 1;
    // A few hundred stay for what is around the events.
    if (bytes > bodyBytesMax - 300) break;
    names.push(name);
    texts.push(text);
    // Thirteen digits behind the name: every time from 2001 to 2286.
    sentAt = Math.max(sentAt, +text.slice(13, 26) || 0);
  }
  if (names.length === 0) return;
  // The key goes in the body, since a header would need a preflight.
  const head = JSON.stringify({ write_key: options.key, sent_at: sentAt });
  const body = encode(`${head.slice(0, -1)},"events":[${texts}]}`);
  if (isLeaving) {
    if ("keepalive" in Request.prototype) return deliver(names, body);
    // Here requests end with their page; a beacon does not, but tells nothing, so all of it stays pending.
    navigator.sendBeacon(address(), body);
    return;
  }
  isSending = true;
  // Below this, packing costs more than it saves.
  const packed = body.length > 2_048 && (await pack(body).catch(() => {}));
  // Who was left while packing has sent it.
  if (before === leaves) await deliver(names, packed || body);
  isSending = false;
  schedule(0);
}

// The edge knows packed bytes by their beginning; a header would need a preflight here, too.
async function pack(plain: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const packed = new Blob([plain]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

const address = (): string => `${options.host ?? ""}/v1/events`;

async function deliver(names: readonly string[], body: Uint8Array<ArrayBuffer>): Promise<void> {
  for (const name of names) flying.add(name);
  outliving += body.length;
  let status = 0;
  let waitMs = 0;
  try {
    const response = await fetch(address(), {
      method: "POST",
      body,
      headers: { "content-type": "text/plain" },
      credentials: "omit",
      keepalive: outliving <= bodyBytesMax,
      // The edge itself gives up after 20 s; older browsers have no such signal, and an end of their own.
      signal: AbortSignal.timeout?.(30_000) as AbortSignal,
    });
    status = response.status;
    const wait = response.headers.get("retry-after")!;
    // Seconds, or a date; an hour at most, for a timer takes no wait of many days.
    waitMs = Math.min(Math.max(+wait * 1_000 || Date.parse(wait) - Date.now() || 0, 0), 3_600_000);
  } catch {}
  outliving -= body.length;
  for (const name of names) flying.delete(name);
  // Any other 2xx is not the edge's: an answer of what stands in between acknowledges nothing.
  const acknowledged = 202;
  if (status === acknowledged) {
    failures = 0;
    names.forEach(forget);
  } else if (status >= 400 && status < 500 && ![408, 425, 429].includes(status)) names.forEach(giveUp);
  else {
    const backoffMs = 60_000;
    const ceilingMs = Math.min(backoffMs, 1_000 * 2 ** failures++);
    notBefore = performance.now() + waitMs + Math.random() * ceilingMs;
  }
  schedule(0);
}
