// Reads a SQLite log as one of a group: whoever holds the group's lease owns every partition.
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Clock } from "../clock.ts";
import { type Delivery, rejoinPauseMs, startDelivery } from "./delivery.ts";
import type { ConsumerHandler, LogConsumer } from "./log.ts";
import type { SqliteTopic } from "./sqlite.ts";
import { briefMs, keptRecords, waitAtMost } from "./sqlite-records.ts";

/** How long a silent owner keeps the group, and how often a living one says so. */
const leaseMs = 10_000;
const renewEveryMs = 2_000;
/** How often a consumer looks for records that another process wrote: one index look-up, some µs. */
const pollEveryMs = 20;
/** How often a consumer without the lease asks for it. */
const askEveryMs = 200;
/** Positions are for people to look at: once a second is enough. */
const noteEveryMs = 1_000;

// Owners living in this process: a row with our pid and none of these names is of a process that died.
const ownersHere = new Set<string>();

/** A consumer that owns `topic`'s connection. */
export function sqliteConsumer(topic: SqliteTopic, group: string, clock: Clock): LogConsumer {
  const owner = `${hostname()} ${process.pid} ${randomUUID()}`;
  const closing = new AbortController();
  const positions = new Map<number, bigint>();
  let heldUntil = 0;
  let running: Promise<void> = Promise.resolve();
  ownersHere.add(owner);
  waitAtMost(topic, briefMs);

  async function own(handler: ConsumerHandler, answered: () => void): Promise<void> {
    const partitions = Array.from({ length: topic.identity.partitions }, (_, partition) => partition);
    const ending = new AbortController();
    const end = (): void => ending.abort();
    closing.signal.addEventListener("abort", end, { once: true });
    // Renewed until the last records are written, so that nobody takes over in between.
    const renewing = setInterval(() => holdLease() || end(), renewEveryMs);
    let delivery: Delivery | undefined;
    try {
      const starts = await handler.assigned(partitions);
      answered();
      if (ending.signal.aborted) return;
      delivery = startDelivery(
        starts,
        (partition, from) => keptRecords(topic, partition, from),
        (signal) => topic.bell.heard(signal, pollEveryMs),
        handler.deliver,
      );
      await Promise.race([delivery.failed, aborted(ending.signal)]);
    } finally {
      closing.signal.removeEventListener("abort", end);
      await delivery?.stop();
      clearInterval(renewing);
      if (delivery !== undefined) await handler.revoked(partitions);
    }
  }

  async function follow(handler: ConsumerHandler, answered: () => void): Promise<void> {
    let isStandby = false;
    while (!closing.signal.aborted) {
      if (!holdLease()) {
        // The first answer is what `run` waits for, and owning nothing is an answer.
        if (!isStandby) await handler.assigned([]).then(answered, () => {});
        isStandby = true;
        await clock.sleep(askEveryMs, closing.signal);
        continue;
      }
      isStandby = false;
      await own(handler, answered).catch(() => clock.sleep(rejoinPauseMs, closing.signal));
    }
  }

  // While the file is busy the lease is ours for as long as it was written down, and a renewal's time less.
  function holdLease(): boolean {
    const now = clock.now();
    try {
      const isHeld = takeLease(topic, group, owner, now);
      heldUntil = isHeld ? now + leaseMs : 0;
      return isHeld;
    } catch {
      return now < heldUntil - renewEveryMs;
    }
  }

  function writePositions(): void {
    try {
      topic.database.transaction(() => {
        for (const [partition, next] of positions) {
          topic.database
            .query("insert or replace into positions (topic, name, partition, next) values (?, ?, ?, ?)")
            .run(topic.number, group, partition, Number(next));
        }
      })();
      positions.clear();
    } catch {
      // They are written with the next ones.
    }
  }

  const noting = setInterval(() => positions.size > 0 && writePositions(), noteEveryMs);
  noting.unref();

  return {
    identity: topic.identity,
    run(handler) {
      return new Promise((resolve) => {
        running = follow(handler, resolve).finally(resolve);
      });
    },
    noted: (partition, nextOffset) => void positions.set(partition, nextOffset),
    async close() {
      if (closing.signal.aborted) return;
      closing.abort();
      await running;
      clearInterval(noting);
      writePositions();
      ownersHere.delete(owner);
      leaveLease(topic, group, owner);
      topic.database.close();
    },
  };
}

function takeLease(topic: SqliteTopic, group: string, owner: string, now: number): boolean {
  const { database, number } = topic;
  const isFree = (): boolean => {
    const held = database
      .query("select owner, until from groups where topic = ? and name = ?")
      .get(number, group) as { owner: string; until: number } | null;
    return held === null || held.owner === owner || held.until < now || isDead(held.owner);
  };
  // Asked without the file's write lock first: a standby asks often and is mostly told no.
  if (!isFree()) return false;
  return database
    .transaction(() => {
      if (!isFree()) return false;
      database
        .query("insert or replace into groups (topic, name, owner, until) values (?, ?, ?, ?)")
        .run(number, group, owner, now + leaseMs);
      return true;
    })
    .immediate();
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function leaveLease(topic: SqliteTopic, group: string, owner: string): void {
  try {
    topic.database
      .query("delete from groups where topic = ? and name = ? and owner = ?")
      .run(topic.number, group, owner);
  } catch {
    // It lapses by itself.
  }
}

// A process that was killed leaves its lease behind; on its own machine that can be seen at once.
function isDead(owner: string): boolean {
  const [host, pid] = owner.split(" ");
  if (host !== hostname()) return false;
  if (Number(pid) === process.pid) return !ownersHere.has(owner);
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as { code?: string }).code === "ESRCH";
  }
}
