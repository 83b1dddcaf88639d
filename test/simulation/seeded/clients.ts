// Clients that send, wait and send again, and their own account of it: what the verdict goes by.

import { native } from "../../../edge/dialect/native.ts";
import { outcome } from "../../../shared/wire/batch.ts";
import { beginning, createPlace, type Place } from "./place.ts";
import type { Schedule } from "./schedule.ts";
import type { EdgeStation } from "./stations.ts";

/** One event as a client means it; equal ids are one event. */
export interface Meant {
  id: string;
  content: number;
  /** It has no type, so every edge refuses it. */
  isBroken: boolean;
}

export interface Account {
  sent: Map<string, Set<number>>;
  acked: Meant[];
  /** Requests that have no end yet. */
  open: number;
}

const project = "shop";
const attemptsMax = 5;
const deadlineMs = 30_000;

/** Lets clients send some requests over a few virtual seconds, and copies of them much later. */
export function startClients(schedule: Schedule, edges: readonly EdgeStation[]): Account {
  const account: Account = { sent: new Map(), acked: [], open: 0 };
  const ids = 2 + Math.floor(schedule.random() * 5);
  const requests = 3 + Math.floor(schedule.random() * 10);
  const place = createPlace(schedule);
  // Some seeds send everything at once, so that copies meet under way.
  const spreadMs = schedule.pick([30, 4_000]);
  for (let request = 0; request < requests; request += 1) {
    const meant = Array.from({ length: 1 + Math.floor(schedule.random() * 3) }, () => ({
      id: `e${Math.floor(schedule.random() * ids)}`,
      content: schedule.chance(0.15) ? 1 : 0,
      isBroken: false,
    }));
    if (schedule.chance(0.1)) meant.push({ id: `b${request % 2}`, content: 0, isBroken: true });
    for (const { id, content } of meant) {
      account.sent.set(id, (account.sent.get(id) ?? new Set()).add(content));
    }
    account.open += 1;
    // Leases end after 30 s, done claims after 300 s.
    const startMs = schedule.between(0, spreadMs) + schedule.pick([0, 0, 0, 0, 0, 35_000, 320_000]);
    place.after(startMs, () => {
      void send(schedule, place, edges, meant, account).finally(() => {
        account.open -= 1;
      });
    });
  }
  return account;
}

async function send(
  schedule: Schedule,
  place: Place,
  edges: readonly EdgeStation[],
  meant: readonly Meant[],
  account: Account,
): Promise<void> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const isTaken = await Promise.race([
      place
        .hop(() => submit(schedule.pick(edges), meant))
        .then(
          (taken) => taken,
          () => false,
        ),
      place.clock.sleep(schedule.chance(0.8) ? deadlineMs : 300).then(() => false),
    ]);
    if (isTaken) {
      account.acked.push(...meant);
      return;
    }
    await place.clock.sleep(schedule.between(10, 3_000));
  }
}

async function submit({ place, accept }: EdgeStation, meant: readonly Meant[]): Promise<boolean> {
  if (!place.isAlive()) throw new Error("nobody listens");
  const receivedAt = place.clock.now();
  const { parts, errors } = await accept.submit({
    project,
    rights: [],
    dialect: native,
    events: meant.map(eventOf),
    original: (index) => new TextEncoder().encode(JSON.stringify(eventOf(meant[index]!))),
    receivedAt,
    sentAt: receivedAt + aheadMs,
  });
  const codes = parts.flatMap((part) => [...part.outcomes]);
  const isTold = meant.every(({ isBroken }, index) => (codes[index] === outcome.refused) === isBroken);
  const broken = meant.filter(({ isBroken }) => isBroken);
  if (codes.length !== meant.length || !isTold || errors.length !== broken.length)
    throw new Error("a good event is refused, or a broken one is not");
  return true;
}

/** How far the clients' clocks are ahead: at the very bound, so that copies of one event are moved or not. */
const aheadMs = 10 * 60_000 + 2_000;

// A third say no time, so that theirs is moved; a third lie at the bound; of the rest the time stands.
function eventOf({ id, content, isBroken }: Meant): Record<string, unknown> {
  if (isBroken) return { event_id: id, payload: { content } };
  const number = Number(id.slice(1));
  const times = [{}, { timestamp: beginning + aheadMs }, { timestamp: beginning - 60_000 * number }];
  return { event_id: id, type: "view", user_id: "u", payload: { content }, ...times[number % 3] };
}
