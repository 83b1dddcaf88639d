// Sends what is pending, again and again until the edge has it or refuses it for good.
import { bodyBytesMax, bytesOf, flying, forget, giveUp, pending } from "./queue.ts";
import { options } from "./visitor.ts";

/** An attempt takes the edge 20 s at most; past this no answer is to be expected. */
const answerMs = 30_000;
const backoffMs = { first: 1_000, last: 60_000 };
/** Any other 2xx is not the edge's: an answer of what stands in between acknowledges nothing. */
const acknowledged = 202;
/** Where the number stands in an event's text. */
const timeAt = '{"timestamp":'.length;
/** Below this, packing costs more than it saves. */
const packBytesMin = 2_048;

let timer: ReturnType<typeof setTimeout> | undefined;
let isSending = false;
let failures = 0;
/** By the page's own clock, which no change of the wall clock moves. */
let notBefore = 0;
/** Bytes under way that the browser finishes after the page. */
let outliving = 0;
let leaves = 0;

/** Sends within `delayMs`, or when a wait that the edge asked for is over. */
export function schedule(delayMs: number): void {
  if (delayMs === 0) clear();
  if (timer || isSending) return;
  timer = setTimeout(
    () => {
      clear();
      void send();
    },
    Math.max(delayMs, notBefore - performance.now()),
  );
}

/** The network is back: what failed without it says nothing of now. */
export function retryNow(): void {
  failures = notBefore = 0;
  schedule(0);
}

/** Sends what it may before the page is hidden or gone: once, for what is under way is not sent again. */
export function sendBeforeLeaving(): void {
  leaves += 1;
  const names = choose(bodyBytesMax - outliving);
  if (names.length === 0) return;
  const body = bodyOf(names);
  // Browsers that end a page's requests with it have this; it tells nothing, so the events stay pending.
  if (!("keepalive" in Request.prototype)) navigator.sendBeacon(address(), body);
  else void deliver(names, body);
}

async function send(): Promise<void> {
  const names = choose(bodyBytesMax);
  if (isSending || names.length === 0) return;
  isSending = true;
  const before = leaves;
  const text = bodyOf(names);
  const body = bytesOf(text) < packBytesMin ? text : await pack(text).catch(() => text);
  // Who was left while packing has sent it.
  if (before === leaves) await deliver(names, body);
  isSending = false;
  schedule(0);
}

/** Names of events that are not under way, oldest first, whose texts take less than `bytesMax`. */
function choose(bytesMax: number): string[] {
  const names: string[] = [];
  let bytes = 300;
  for (const [name, text] of pending) {
    if (flying.has(name)) continue;
    bytes += bytesOf(text) + 1;
    if (bytes > bytesMax) break;
    names.push(name);
  }
  return names;
}

/**
 * The key goes in the body, since a header would need a preflight. A clock that was set back leaves events
 * ahead of it; told as the time of sending, the newest of them shows the edge how wrong the clock was.
 */
function bodyOf(names: readonly string[]): string {
  const texts = names.map((name) => pending.get(name)!);
  const times = texts.map((text) => Number.parseInt(text.slice(timeAt), 10) || 0);
  const head = JSON.stringify({ write_key: options.key, sent_at: Math.max(Date.now(), ...times) });
  return `${head.slice(0, -1)},"events":[${texts}]}`;
}

// The edge knows packed bytes by their beginning; a header would need a preflight here, too.
const pack = async (text: string): Promise<Blob> =>
  new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"))).blob();

async function deliver(names: readonly string[], body: string | Blob): Promise<void> {
  const bytes = new Blob([body]).size;
  for (const name of names) flying.add(name);
  outliving += bytes;
  let status = 0;
  let waitMs = 0;
  try {
    const response = await fetch(address(), {
      method: "POST",
      body,
      headers: { "content-type": "text/plain" },
      credentials: "omit",
      keepalive: outliving <= bodyBytesMax,
      signal: AbortSignal.timeout?.(answerMs) ?? null,
    });
    status = response.status;
    waitMs = waitOf(response.headers.get("retry-after") ?? "");
  } catch {}
  outliving -= bytes;
  for (const name of names) flying.delete(name);
  if (status === acknowledged) {
    failures = 0;
    names.forEach(forget);
  } else if (status >= 400 && status < 500 && ![408, 425, 429].includes(status)) names.forEach(giveUp);
  else {
    const ceiling = Math.min(backoffMs.last, backoffMs.first * 2 ** failures++);
    notBefore = performance.now() + waitMs + Math.random() * ceiling;
  }
  schedule(0);
}

/** Retry-After in ms: whole seconds, or a date. */
const waitOf = (text: string): number => +text * 1_000 || Date.parse(text) - Date.now() || 0;

const address = (): string => `${options.host ?? ""}/v1/events`;

function clear(): void {
  clearTimeout(timer);
  timer = undefined;
}
