// What a load's log proves: which events were acknowledged, how many copies went out, and what stays open.
import { type IdRun, unfoldIds } from "./id-list.ts";
import { readLoadLog, type SentLine } from "./load-log.ts";

/** Bits of an event's state. */
export const eventState = { acked: 1, bad: 2, doubtful: 4 } as const;

/** Sums over a whole log. An instance is one event in one request; an event may have several. */
export interface Account {
  load: string;
  /** Every event by its id: bits of `eventState`. About 100 bytes an event. */
  events: Map<string, number>;
  /** Batches of acknowledged requests, as UUIDs; requests that met at the edge share one. */
  batches: Set<string>;
  /** Instances in acknowledged requests. */
  acked: number;
  /** Instances in attempts that nobody knows the fate of: copies the pipeline may or may not have. */
  doubtful: number;
  /** Attempts after a request's first. */
  retries: number;
}

interface OpenRequest {
  line: SentLine;
  attempts: number;
  /** Attempts that certainly brought nothing. */
  notReceived: number;
}

/** Reads a log. Throws a MisuseError where the file is none. */
export async function readAccount(file: string): Promise<Account> {
  const account: Account = {
    load: "",
    events: new Map(),
    batches: new Set(),
    acked: 0,
    doubtful: 0,
    retries: 0,
  };
  const open = new Map<number, OpenRequest>();
  for await (const line of readLoadLog(file)) {
    if ("load" in line) account.load = line.load;
    else if ("sent" in line) {
      const request = open.get(line.sent);
      if (request !== undefined) request.attempts += 1;
      else open.set(line.sent, { line, attempts: 1, notReceived: 0 });
      account.retries += line.attempt > 1 ? 1 : 0;
    } else if ("failed" in line) {
      const request = open.get(line.failed);
      if (request !== undefined && line.fate === "not_received") request.notReceived += 1;
    } else {
      const request = open.get(line.acked);
      if (request === undefined) continue;
      open.delete(line.acked);
      for (const id of line.batch_ids) account.batches.add(id);
      close(account, request, true);
    }
  }
  // Given up, or still on its way when the load was killed.
  for (const request of open.values()) close(account, request, false);
  return account;
}

function close(account: Account, request: OpenRequest, isAcked: boolean): void {
  const { good = [], bad = [], copies = [] } = request.line;
  const doubtfulAttempts = request.attempts - request.notReceived - (isAcked ? 1 : 0);
  const state = (isAcked ? eventState.acked : 0) | (doubtfulAttempts > 0 ? eventState.doubtful : 0);
  let instances = 0;
  const note = (runs: readonly IdRun[], bits: number): void => {
    for (const id of unfoldIds(runs)) {
      account.events.set(id, (account.events.get(id) ?? 0) | bits);
      instances += 1;
    }
  };
  note(good, state);
  note(copies, state);
  note(bad, state | eventState.bad);
  account.acked += isAcked ? instances : 0;
  account.doubtful += doubtfulAttempts * instances;
}

/** Counts the events that have all bits of `has` and none of `lacks`. */
export function countEvents(account: Account, has: number, lacks: number): number {
  let count = 0;
  for (const state of account.events.values()) if ((state & has) === has && (state & lacks) === 0) count += 1;
  return count;
}

/** Their ids, some at a time. */
export function* eventIds(account: Account, has: number, lacks: number, atOnce: number): Generator<string[]> {
  let ids: string[] = [];
  for (const [id, state] of account.events) {
    if ((state & has) !== has || (state & lacks) !== 0) continue;
    ids.push(id);
    if (ids.length < atOnce) continue;
    yield ids;
    ids = [];
  }
  if (ids.length > 0) yield ids;
}
