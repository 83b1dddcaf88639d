// The store of the simulated world: sessions and transactions over the tables, with their faults.
import type { Sql, TransactionSql } from "postgres";
import { bodyOf } from "../../../aggregator/decode.ts";
import type { LedgerWrites } from "../../../aggregator/ledger/fold.ts";
import { fingerprintOf } from "../../../aggregator/plan.ts";
import type { Inserter } from "../../../aggregator/stage.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { unpackEvent } from "../../../shared/wire/packed-event.ts";
import type { Place } from "./place.ts";
import type { Schedule } from "./schedule.ts";
import { type Asked, Json, type Statement, statements } from "./statements.ts";
import {
  createLocks,
  emptyTables,
  endSession,
  endTransaction,
  lost,
  type Session,
  type Tables,
  type Transaction,
} from "./tables.ts";
import type { Twist } from "./twists.ts";

export interface SimulatedStore {
  tables: Tables;
  storeFor(place: Place): Store;
  ledger: LedgerWrites;
  inserter: Inserter;
  /** No statement is taken until so many ms from now, and what is under way is cut. */
  outage(ms: number): void;
  /** Ends the sessions of a process that is dead. */
  bury(place: Place): void;
  /** Chance of a lost connection, by statement. */
  trouble: number;
  /** What a commit did that none may do. */
  faults: string[];
  /** Ends every wait for the store; nothing goes on afterwards. */
  close(): void;
}

type Step = <T>(work: (asked: Omit<Asked, "values">) => T | Promise<T>) => Promise<T>;
interface SimulatedTransaction {
  step: Step;
}

export function createSimulatedStore(schedule: Schedule, twist: Twist): SimulatedStore {
  const tables = emptyTables();
  const locks = createLocks(twist.leavesMovedUnlocked === true ? "moved" : undefined);
  const sessions = new Set<Session>();
  const over = Promise.withResolvers<never>();
  over.promise.catch(() => {});
  const faults: string[] = [];
  let awayUntil = 0;
  // Some servers are slow, so that many transactions are under way at once.
  const answerMs = schedule.pick([3, 3, 40]);

  const self: SimulatedStore = {
    tables,
    storeFor,
    ledger: twist.ledger?.(ledgerOf(tables)) ?? ledgerOf(tables),
    inserter: inserterOf(tables),
    outage(ms) {
      awayUntil = Math.max(awayUntil, schedule.now() + ms);
      for (const session of sessions) endSession(session);
    },
    bury(place) {
      for (const session of sessions) if (session.place === place) endSession(session);
    },
    trouble: 0,
    faults,
    close: () => over.reject(lost()),
  };
  return self;

  function storeFor(place: Place): Store {
    let own: Session | undefined;
    const session = (): Session => {
      if (own?.isOpen !== true) {
        if (own !== undefined) sessions.delete(own);
        own = { place, isOpen: true, tx: undefined };
        sessions.add(own);
      }
      return own;
    };
    const pool = sqlOf(
      (work) => hop(place, () => work({ tables, locks, twist, session: session(), tx: undefined })),
      async () => {
        throw new Error("the pool writes nothing here");
      },
    );
    const step: Step = (work) =>
      hop(place, () => work({ tables, locks, twist, session: session(), tx: undefined }));
    const writer = sqlOf(step, (work) => begin(place, session, work));
    return {
      label: "simulated:",
      schema: "weir",
      flavour: "timescale-apache",
      serverVersion: "18",
      sql: pool,
      writer: async () => writer,
      inspect: async () => {},
      close: async () => {},
    };
  }

  function hop<T>(place: Place, work: () => T | Promise<T>): Promise<T> {
    const guarded = (): T | Promise<T> => {
      if (schedule.now() < awayUntil || schedule.chance(self.trouble)) throw lost();
      return work();
    };
    return Promise.race([place.hop(guarded, 0.1, answerMs), over.promise]);
  }

  async function begin<T>(
    place: Place,
    sessionNow: () => Session,
    work: (tx: TransactionSql) => Promise<T>,
  ): Promise<T> {
    const tx = await hop(place, () => {
      const session = sessionNow();
      const made: Transaction = {
        session,
        isOver: false,
        writes: [],
        moves: [],
        isRewind: false,
        end: Promise.withResolvers(),
      };
      session.tx = made;
      return made;
    });
    let tail: Promise<unknown> = Promise.resolve();
    const step: Step = (statement) => {
      const run = (): Promise<Awaited<ReturnType<typeof statement>>> =>
        hop(place, () => {
          if (tx.isOver) throw lost();
          return statement({ tables, locks, twist, session: tx.session, tx });
        }).catch((error: unknown) => {
          if (!tx.isOver) endSession(tx.session);
          throw error;
        }) as Promise<Awaited<ReturnType<typeof statement>>>;
      const answer = tail.then(run);
      tail = answer.catch(() => {});
      return answer as never;
    };
    try {
      const answer = await work(Object.assign(sqlOf(step, never), { step }) as unknown as TransactionSql);
      await commit(place, tx);
      return answer;
    } catch (error) {
      if (!tx.isOver) endTransaction(tx);
      throw error;
    }
  }

  function commit(place: Place, tx: Transaction): Promise<void> {
    return hop(place, () => {
      if (tx.isOver) throw lost();
      for (const { partition, to } of tx.moves) {
        const position = tables.positions.get(partition)!;
        if (to <= position.next && !tx.isRewind)
          faults.push(`partition ${partition} went back from ${position.next} to ${to}`);
        if (position.owner !== undefined && position.owner.place !== place && position.owner.isOpen)
          faults.push(`a writer committed to partition ${partition}, which is another's`);
      }
      for (const write of tx.writes) write();
      endTransaction(tx);
      // The answer to the COMMIT is lost with the connection.
      if (schedule.chance(self.trouble)) {
        endSession(tx.session);
        throw lost();
      }
    });
  }
}

async function never(): Promise<never> {
  throw new Error("no transaction within a transaction");
}

// What looks like postgres.js to the write path: a tag, `json`, `begin` and `end`.
function sqlOf(step: Step, begin: (work: (tx: TransactionSql) => Promise<unknown>) => Promise<unknown>): Sql {
  const tag = (texts: TemplateStringsArray | string, ...values: unknown[]): unknown => {
    if (typeof texts === "string") return new Name(texts);
    const statement = statementFor(texts, values);
    return step(async (asked) => {
      const rows = await statement.run({
        ...asked,
        values: values.filter((value) => !(value instanceof Name)),
      });
      return Object.assign(rows, { count: rows.length });
    });
  };
  return Object.assign(tag, {
    json: (value: unknown) => new Json(value),
    begin: (...words: unknown[]) => begin(words.at(-1) as (tx: TransactionSql) => Promise<unknown>),
    end: async () => {},
  }) as unknown as Sql;
}

const found = new WeakMap<TemplateStringsArray, Statement>();

function statementFor(texts: TemplateStringsArray, values: readonly unknown[]): Statement {
  const known = found.get(texts);
  if (known !== undefined) return known;
  const named = values.map((value) => (value instanceof Name ? value.text : "?"));
  const text = texts
    .map((part, at) => part + (named[at] ?? ""))
    .join("")
    .replaceAll(/\s+/g, " ")
    .trim();
  const statement = statements.find((one) => text.startsWith(one.text));
  if (statement === undefined) throw new Error(`the simulation does not know this statement: ${text}`);
  if (!named.some((name) => name !== "?")) found.set(texts, statement);
  return statement;
}

/** A name within a statement, such as a table's. */
class Name {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const stepOf = (tx: TransactionSql): Step => (tx as unknown as SimulatedTransaction).step;

function ledgerOf(tables: Tables): LedgerWrites {
  return {
    insert: (tx, _log, tallies) =>
      stepOf(tx)(async ({ locks, tx: open }) => {
        const inserted = new Set<string>();
        const byId = (left: { batchId: string }, right: { batchId: string }): number =>
          left.batchId < right.batchId ? -1 : 1;
        for (const decoded of [...tallies.keys()].sort(byId)) {
          const { batchId } = decoded;
          await locks.take(open!, `ledger ${batchId}`);
          if (tables.ledger.has(batchId)) continue;
          inserted.add(batchId);
          open!.writes.push(() => void tables.ledger.set(batchId, { decoded, tally: tallies.get(decoded)! }));
        }
        return inserted;
      }),
    digests: (tx, batchIds) =>
      stepOf(tx)(() => {
        const known = batchIds.flatMap((id) => tables.ledger.get(id)?.decoded ?? []);
        return new Map(known.map(({ batchId, digest }) => [batchId, digest]));
      }),
    correct: (tx, _before, after) =>
      stepOf(tx)(({ tx: open }) => {
        open!.writes.push(() => {
          for (const [{ batchId }, tally] of after) {
            const row = tables.ledger.get(batchId);
            if (row !== undefined) row.tally = tally;
          }
        });
      }),
  };
}

function inserterOf(tables: Tables): Inserter {
  return {
    insert: (tx, plan) =>
      stepOf(tx)(async ({ locks, tx: open }) => {
        for (const one of plan.kept) {
          if (one.fate !== "stored") continue;
          await locks.take(open!, `event ${one.key}`);
          const there = tables.events.get(one.key);
          if (there === undefined) {
            const { eventId, payload } = unpackEvent(bodyOf(one.decoded, one.index));
            const row = { fingerprint: Buffer.from(fingerprintOf(one)), eventId: eventId ?? "", payload };
            open!.writes.push(() => void tables.events.set(one.key, row));
          } else {
            one.stored = there.fingerprint;
            one.fate = "duplicate";
          }
        }
        return "staged" as const;
      }),
  };
}
