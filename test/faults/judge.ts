// Judges a fault from what was sent and what the load generator wrote down, and from the store's own rows.
import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { unfoldIds } from "../../edge/command/load/id-list.ts";
import type { LoadLine } from "../../edge/command/load/load-log.ts";
import { canonical } from "../../shared/event/canonical.ts";

const tailBytes = 65_536;
const pieceBytes = 1024 * 1024;

/** An event as it was sent, by its client's id; undefined where none of that id was. */
export type SentOf = (eventId: string) => { payload: unknown; context: unknown } | undefined;

/** What accounts say of each event, whatever requests it was in. */
export interface Accounts {
  /** Ids sent well-formed and acknowledged; sent bad and acknowledged. */
  acked: Set<string>;
  ackedBad: Set<string>;
  /** Ids that went out at all, well-formed or bad. */
  good: Set<string>;
  bad: Set<string>;
  /** Ids in a request that has no acknowledgement yet. */
  open: Set<string>;
  /** Events in requests, copies included; those in acknowledged requests. */
  sentEvents: number;
  ackedEvents: number;
  /** Well-formed events in attempts that were refused for good, and answered 503. */
  refused4xx: number;
  refused503: number;
  whys: Map<string, number>;
}

export interface StoredRow {
  event_id: string;
  payload: unknown;
  context: unknown;
  storedAtMs: number;
}

/** A quarantined event's original text, as far as it can be read, and why it is there. */
export interface Kept {
  eventId: string | undefined;
  reason: string;
}

export interface Verdict {
  sent: number;
  acked: number;
  stored: number;
  duplicate: number;
  quarantined: number;
  caught_in_flight: number;
  lost: number;
  extra: number;
  wrongly_refused: number;
}

export interface Evidence {
  sentOf: SentOf;
  end: Accounts;
  /** The accounts at the moment of the fault, and that moment. */
  atFault: Accounts;
  faultAtMs: number;
  rows: Iterable<StoredRow> | AsyncIterable<StoredRow>;
  kept: readonly Kept[];
  /** Whether the fault took away what alone could take events, so that 503 was right. */
  mayRefuse: boolean;
  /** Whether the last transaction before the fault was caught too: committed, and its writer never knew. */
  endsAtCommit?: boolean;
}

/** How long each account is now: a moment that can be read later. */
export function sizesOf(files: readonly string[]): number[] {
  return files.map((file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0);
}

/** Whether the last thing an account says is that a request goes out. */
export function isSending(file: string): boolean {
  if (!existsSync(file)) return false;
  const handle = openSync(file, "r");
  try {
    const { size } = fstatSync(handle);
    const tail = Buffer.alloc(Math.min(size, tailBytes));
    readSync(handle, tail, 0, tail.length, size - tail.length);
    return (tail.toString("utf8").trimEnd().split("\n").at(-1) ?? "").startsWith('{"sent"');
  } finally {
    closeSync(handle);
  }
}

/** Reads accounts as they stand now, or stood at `sizes`; a last line that is being written is passed over. */
export function readAccounts(files: readonly string[], sizes?: readonly number[]): Accounts {
  const accounts = emptyAccounts();
  for (const [index, file] of files.entries()) {
    const requests: Requests = new Map();
    for (const lines of linesOf(file, 0, sizes?.[index])) {
      for (const text of lines) readLine(text, requests, accounts);
    }
    for (const { good, bad } of requests.values()) for (const id of [...good, ...bad]) accounts.open.add(id);
  }
  return accounts;
}

/** Answers, whenever it is asked, how many ids are acknowledged; each byte of the accounts is read once. */
export function followAcked(files: readonly string[]): () => number {
  const accounts = emptyAccounts();
  const places = files.map((file) => ({ file, at: 0, requests: new Map() as Requests }));
  return () => {
    for (const place of places) {
      for (const lines of linesOf(place.file, place.at)) {
        for (const text of lines) {
          readLine(text, place.requests, accounts);
          place.at += Buffer.byteLength(text) + 1;
        }
      }
    }
    return accounts.acked.size;
  };
}

type Requests = Map<number, { good: string[]; bad: string[] }>;

function emptyAccounts(): Accounts {
  return {
    acked: new Set(),
    ackedBad: new Set(),
    good: new Set(),
    bad: new Set(),
    open: new Set(),
    sentEvents: 0,
    ackedEvents: 0,
    refused4xx: 0,
    refused503: 0,
    whys: new Map(),
  };
}

function readLine(text: string, requests: Requests, accounts: Accounts): void {
  const line = parseLine(text);
  if (line === undefined || "load" in line) return;
  if ("sent" in line) {
    if (line.attempt > 1) return;
    const good = [...unfoldIds(line.good ?? []), ...unfoldIds(line.copies ?? [])];
    const bad = [...unfoldIds(line.bad ?? [])];
    for (const id of good) accounts.good.add(id);
    for (const id of bad) accounts.bad.add(id);
    accounts.sentEvents += good.length + bad.length;
    requests.set(line.sent, { good, bad });
  } else if ("failed" in line) {
    const events = requests.get(line.failed)?.good.length ?? 0;
    accounts.whys.set(line.why, (accounts.whys.get(line.why) ?? 0) + events);
    if (/^4/.test(line.why)) accounts.refused4xx += events;
    if (/^503/.test(line.why)) accounts.refused503 += events;
  } else {
    const request = requests.get(line.acked);
    if (request === undefined) return;
    requests.delete(line.acked);
    for (const id of request.good) accounts.acked.add(id);
    for (const id of request.bad) accounts.ackedBad.add(id);
    accounts.ackedEvents += request.good.length + request.bad.length;
  }
}

/** The verdict over one fault. Everything in it is counted from the evidence alone, a row at a time. */
export async function judge(evidence: Evidence): Promise<Verdict & { altered: number }> {
  const { sentOf, end, atFault, kept, faultAtMs } = evidence;
  const storedAt = new Map<string, number>();
  let rows = 0;
  let extra = 0;
  let altered = 0;
  for await (const row of evidence.rows) {
    const was = sentOf(row.event_id);
    rows += 1;
    // A second row, a row nobody sent, and a row whose content is another.
    if (storedAt.has(row.event_id) || was === undefined || !end.good.has(row.event_id)) extra += 1;
    else if (canonical(was.payload) !== canonical(row.payload)) altered += 1;
    else if (!holds(row.context, was.context)) altered += 1;
    storedAt.set(row.event_id, row.storedAtMs);
  }
  const keptIds = new Set(kept.map(({ eventId }) => eventId));
  let lost = 0;
  for (const id of end.acked) if (!storedAt.has(id) && !keptIds.has(id)) lost += 1;
  for (const id of end.ackedBad) if (!keptIds.has(id)) lost += 1;
  let caught = atFault.open.size;
  for (const id of atFault.acked) if ((storedAt.get(id) ?? 0) >= faultAtMs) caught += 1;
  if (evidence.endsAtCommit) {
    let last = 0;
    for (const at of storedAt.values()) if (at < faultAtMs) last = Math.max(last, at);
    for (const at of storedAt.values()) if (at === last) caught += 1;
  }
  const keptGood = [...keptIds].filter((id) => id !== undefined && end.good.has(id) && !end.bad.has(id));
  const quarantined = kept.length;
  return {
    sent: end.sentEvents,
    acked: end.ackedEvents,
    stored: rows,
    duplicate: Math.max(0, end.ackedEvents - end.acked.size - end.ackedBad.size),
    quarantined,
    caught_in_flight: caught,
    lost,
    extra: extra + altered,
    wrongly_refused: keptGood.length + end.refused4xx + (evidence.mayRefuse ? 0 : end.refused503),
    altered,
  };
}

// An edge may add to the context (a request's id, a trace), and change nothing in it.
function holds(found: unknown, sent: unknown): boolean {
  const has = found as Record<string, unknown>;
  return Object.entries(sent as object).every(([name, value]) => canonical(has[name]) === canonical(value));
}

/** The whole lines of a file from `at` up to `end`, a piece of the file at a time. */
function* linesOf(file: string, at: number, end = Number.POSITIVE_INFINITY): Generator<string[]> {
  if (!existsSync(file)) return;
  const handle = openSync(file, "r");
  try {
    let from = at;
    let rest: Buffer = Buffer.alloc(0);
    for (;;) {
      const piece = Buffer.alloc(Math.max(0, Math.min(pieceBytes, end - from)));
      const read = readSync(handle, piece, 0, piece.length, from);
      if (read === 0) return;
      from += read;
      const bytes = Buffer.concat([rest, piece.subarray(0, read)]);
      const whole = bytes.lastIndexOf(0x0a) + 1;
      rest = bytes.subarray(whole);
      if (whole > 0) yield bytes.toString("utf8", 0, whole - 1).split("\n");
    }
  } finally {
    closeSync(handle);
  }
}

function parseLine(text: string): LoadLine | undefined {
  try {
    return JSON.parse(text) as LoadLine;
  } catch {
    return undefined;
  }
}
