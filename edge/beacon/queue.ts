// What is recorded and not yet acknowledged: written ahead to local storage, one key an event.
import type { Fields } from "./types.ts";
import {
  attempt,
  circumstances,
  isAllowed,
  isLasting,
  prefix,
  randomName,
  storage,
  visit,
} from "./visitor.ts";

/** A request's body; browsers let pages that are left send 64 KiB in all. */
export const bodyBytesMax = 60_000;
/** Characters waiting here: a fifth of the 5 million a site has in local storage. */
const heldMax = 1_000_000;

/** Texts of events by their names in local storage, oldest first; those of ended pages too. */
export const pending = new Map<string, string>();
/** The names of what is on its way. */
export const flying = new Set<string>();

// A page's life is a stream: what two pages would have to agree on, a crash or a copied tab could break.
let stream: string;
/** The name of this page's queue: that of its lock, and what its events' names begin with. */
let own: string;
let seq = 0;
let lost = 0;
let held = 0;
/** Whether the last event could be written ahead; the next one tells. */
let isStored: boolean;
/** Events of other pages in local storage when it was last looked through. */
let elsewhere = 0;
/** Whether the lock of this page's own queue was asked for. */
let isClaimed = false;
let releases: (() => void)[] = [];
let changed: (delayMs: number) => void;

export const encode = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** Begins a stream. `whenChanged` is told that there is something to send, and how long it may wait. */
export function openQueue(whenChanged: (delayMs: number) => void): void {
  stream = randomName();
  own = `${prefix}q:${stream}`;
  isStored = isLasting;
  changed = whenChanged;
}

/** Records an event. What cannot be recorded is a number that is declared lost with the next event. */
export function record(type: string, payload?: Fields, context?: Fields): void {
  if (!isAllowed()) return;
  const now = Date.now();
  const visitor = visit(now, type !== "engagement");
  for (const name of pending.keys()) {
    if (held <= heldMax) break;
    if (isOwn(name) && !flying.has(name)) giveUp(name);
  }
  seq += 1;
  const text = attempt(() =>
    JSON.stringify({
      timestamp: now,
      type,
      user_id: visitor.u,
      anonymous_id: visitor.a,
      session_id: visitor.s,
      stream_id: stream,
      seq,
      payload,
      context: {
        ...circumstances(visitor),
        ...context,
        lost: lost || undefined,
        queue: isStored ? undefined : "memory",
      },
    }),
  );
  // One event has to fit a body.
  if (!text || encode(text).length > bodyBytesMax - 1_000) {
    lost += 1;
    return;
  }
  const name = `${own}:${seq}`;
  isStored = false;
  // Of all pages together: a megabyte of usual events, a tenth of what a site has.
  if (isLasting && elsewhere + pending.size < 2_000) {
    attempt(() => {
      storage[name] = text;
      isStored = true;
    });
  }
  hold(name, text);
}

/** Drops an event that can never be delivered; one of our own is counted. */
export function giveUp(name: string): void {
  if (isOwn(name)) lost += 1;
  forget(name);
}

/** Drops an event the edge has. */
export function forget(name: string): void {
  held -= pending.get(name)?.length ?? 0;
  pending.delete(name);
  delete storage[name];
}

/**
 * Takes over the queues of pages that ended: a page holds a lock of its queue's name while it lives.
 * Without locks every queue is taken, for what two pages send is one event to the edge.
 */
export function claimQueues(): void {
  const queues = new Map<string, string[]>(isClaimed ? [] : [[own, []]]);
  isClaimed = true;
  elsewhere = 0;
  for (const name of Object.keys(storage)) {
    if (!name.startsWith(`${prefix}q:`) || pending.has(name)) continue;
    elsewhere += 1;
    const queue = queueOf(name);
    if (!queues.get(queue)?.push(name)) queues.set(queue, [name]);
  }
  queues.forEach(claim);
}

/** The page is left: one that is kept to come back to would not be kept with a lock. */
export function releaseQueues(): void {
  for (const release of releases) release();
  releases = [];
  isClaimed = false;
}

function claim(names: readonly string[], queue: string): void {
  const whenHeld = (lock: Lock | null): Promise<void> | undefined => {
    if (!lock) return undefined;
    names.forEach(take);
    return new Promise((release) => releases.push(release));
  };
  // A page waits for its own queue, which another may hold for a moment.
  if (navigator.locks)
    navigator.locks.request(queue, { ifAvailable: queue !== own }, whenHeld).catch(() => {});
  else names.forEach(take);
}

function take(name: string): void {
  const text = storage[name]!;
  if (held > heldMax / 2) return;
  // What is no event would have a whole request refused.
  if (attempt(() => JSON.parse(text))) hold(name, text);
  else forget(name);
}

function hold(name: string, text: string): void {
  pending.set(name, text);
  held += text.length;
  // An event waits a second for others to share its request.
  changed(held > bodyBytesMax ? 0 : 1_000);
}

const queueOf = (name: string): string => name.slice(0, name.lastIndexOf(":"));
const isOwn = (name: string): boolean => queueOf(name) === own;
