// What is recorded and not yet acknowledged: written ahead to local storage, one key an event.
import type { Fields } from "./types.ts";
import { attempt, circumstances, isAllowed, prefix, randomName, storage, visit } from "./visitor.ts";

/** A request's body; browsers let pages that are left send 64 KiB in all. */
export const bodyBytesMax = 60_000;
/** One event, so that it fits a body with what is around it. */
const eventBytesMax = 59_000;
/** Characters waiting here, and in local storage: a fifth of the 5 million a site has there. */
const heldMax = 1_000_000;

/** How long an event waits for others to share its request. */
const gatherMs = 1_000;

/** Texts of events by their names in local storage, oldest first; those of ended pages too. */
export const pending = new Map<string, string>();
/** The names of what is on its way. */
export const flying = new Set<string>();

// A page's life is a stream: what two pages would have to agree on, a crash or a copied tab could break.
let stream: string;
let seq = 0;
let lost = 0;
let held = 0;
/** Characters in local storage that other pages wait with. */
let heldElsewhere = 0;
let isStored = true;
/** The streams whose locks are held here, and what gives those free. */
const claimed = new Set<string>();
const releases: (() => void)[] = [];
let changed: (delayMs: number) => void;

const encoder = new TextEncoder();
export const bytesOf = (text: string): number => encoder.encode(text).length;

/** Begins a stream. `whenChanged` is told that there is something to send, and how long it may wait. */
export function openQueue(whenChanged: (delayMs: number) => void): void {
  stream = randomName();
  changed = whenChanged;
}

/** Records an event. What cannot be recorded is a number that is declared lost with the next event. */
export function record(type: string, payload?: Fields, context?: Fields, isQuiet = false): void {
  if (!isAllowed()) return;
  const now = Date.now();
  const visitor = visit(now, !isQuiet);
  for (const name of pending.keys()) {
    if (held <= heldMax) break;
    if (isOwn(name) && !flying.has(name)) giveUp(name);
  }
  seq += 1;
  const write = (): string =>
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
    });
  let text = attempt(write) ?? "";
  if (!text || bytesOf(text) > eventBytesMax) {
    lost += 1;
    return;
  }
  const name = `${queuePrefix()}${stream}:${seq}`;
  const wasStored = isStored;
  isStored = store(name, text);
  if (wasStored && !isStored) text = write();
  hold(name, text);
  changed(held > bodyBytesMax ? 0 : gatherMs);
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
  attempt(() => storage?.removeItem(name));
}

/**
 * Takes over the queues of pages that ended: a page holds a lock of its stream's name while it lives.
 * Without locks every queue is taken, for what two pages send is one event to the edge.
 */
export function claimQueues(): void {
  const found = new Map<string, number>();
  for (const name of Object.keys(storage ?? {})) {
    if (!name.startsWith(queuePrefix()) || pending.has(name)) continue;
    const owner = streamOf(name);
    found.set(owner, (found.get(owner) ?? 0) + (storage?.getItem(name) ?? "").length);
  }
  heldElsewhere = 0;
  for (const [owner, size] of found) {
    heldElsewhere += size;
    if (claimed.has(owner)) take(owner);
    else claim(owner, { ifAvailable: true });
  }
}

/** Holds the lock of this page's own queue, or of one that nobody holds, until the page is left. */
export function claim(owner: string = stream, options: LockOptions = {}): void {
  const { locks } = navigator;
  if (!locks) {
    take(owner);
    return;
  }
  const whenHeld = (lock: Lock | null): Promise<void> | undefined => {
    if (!lock) return undefined;
    claimed.add(owner);
    take(owner);
    return new Promise((release) => releases.push(release));
  };
  locks.request(prefix + owner, options, whenHeld).catch(() => {});
}

/** Gives the queues free: a page that is kept to come back to would not be kept with a lock. */
export function releaseQueues(): void {
  for (const release of releases.splice(0)) release();
  claimed.clear();
}

function take(owner: string): void {
  for (const name of Object.keys(storage ?? {})) {
    if (!name.startsWith(queuePrefix() + owner) || pending.has(name) || held > heldMax / 2) continue;
    const text = storage?.getItem(name);
    // What is no event would have a whole request refused.
    if (text && attempt(() => JSON.parse(text))) hold(name, text);
    else forget(name);
  }
  if (pending.size > 0) changed(0);
}

function hold(name: string, text: string): void {
  pending.set(name, text);
  held += text.length;
}

function store(name: string, text: string): boolean {
  if (!storage || held + heldElsewhere > heldMax) return false;
  return attempt(() => storage?.setItem(name, text) ?? true) ?? false;
}

const queuePrefix = (): string => `${prefix}q:`;
const streamOf = (name: string): string => name.slice(queuePrefix().length).split(":")[0]!;
const isOwn = (name: string): boolean => streamOf(name) === stream;
