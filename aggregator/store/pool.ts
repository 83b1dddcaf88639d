// Keeps postgres.js safe where a connection is lost: in 3.4.9 its pool may then write to a socket that
// is no more, which ends the process, or keep half a message for the next connection, which hangs it.
import type { Sql, TransactionSql } from "postgres";
import { errorCode, isLost } from "./errors.ts";

/** What `make` is told: a function to call whenever a connection has closed. */
type Make = (closed: () => void) => Sql;

/** Time for what the other connections of a pool still do, once it has been replaced. */
const drainSeconds = 35;

/**
 * A pool that is replaced by a fresh one as soon as one of its connections has closed, and whose
 * transactions say nothing more once theirs has. It is used like any `Sql`; `end` ends it for good.
 */
export function openPool(make: Make): Sql {
  let isEnding = false;
  const replace = (pool: Sql, seconds: number): void => {
    if (!isEnding && current === pool) current = open();
    void pool.end({ timeout: seconds });
  };
  const open = (): Sql => {
    const pool = make(() => {
      if (!isEnding && current === pool) replace(pool, drainSeconds);
    });
    return pool;
  };
  let current = open();
  const begin = async (options: string, work: Work): Promise<unknown> => {
    const pool = current;
    return await transact(pool, options, work, () => replace(pool, 0));
  };
  const own: Record<string, unknown> = {
    begin: (first: unknown, second?: unknown) =>
      second === undefined ? begin("", first as Work) : begin(String(first), second as Work),
    end(options?: { timeout?: number }) {
      isEnding = true;
      return current.end(options);
    },
  };
  return new Proxy(current, {
    apply: (_target, _self, words) => Reflect.apply(current, undefined, words),
    get: (_target, name) => own[String(name)] ?? Reflect.get(current, name),
  });
}

type Work = (tx: TransactionSql) => Promise<unknown>;

/** A connection that closed between two statements; nothing of the transaction is left. */
class ClosedError extends Error {
  readonly code = "CONNECTION_CLOSED";
}

/** A transaction as it goes: `isOver` once it was answered for; `late` answers for one out of time. */
interface State {
  isOver: boolean;
  late(error: unknown): void;
}

// `sql.begin` rejects by itself when the connection closes. Until then a work that failed for that
// reason is left unsettled, since its rejection would make `begin` send a rollback to nobody. A work
// that ran out of time leaves a connection that answers nobody, not even that it is closed.
async function transact(pool: Sql, options: string, work: Work, giveUp: () => void): Promise<unknown> {
  const late = Promise.withResolvers<never>();
  const state: State = {
    isOver: false,
    late(error) {
      late.reject(error);
      giveUp();
    },
  };
  const begun = pool.begin(options, (tx) => settle(work(watch(tx, state)), state));
  try {
    return await Promise.race([begun, late.promise]);
  } finally {
    state.isOver = true;
  }
}

function settle(work: Promise<unknown>, state: State): Promise<unknown> {
  return new Promise((resolve, reject) => {
    work.then(
      (value) => {
        if (!state.isOver) resolve(value);
      },
      (error: unknown) => {
        if (state.isOver) return;
        if (errorCode(error) === "DEADLINE") state.late(error);
        else if (!isLost(error)) reject(error);
      },
    );
  });
}

function watch(tx: TransactionSql, state: State): TransactionSql {
  const check = (): void => {
    if (state.isOver) throw new ClosedError("the transaction's connection was closed");
  };
  return new Proxy(tx, {
    apply(target, _self, words) {
      check();
      return Reflect.apply(target, undefined, words);
    },
    get(target, name) {
      if (name === "savepoint") {
        return (inner: Work) => {
          check();
          return target.savepoint((nested) => settle(inner(watch(nested, state)), state));
        };
      }
      if (name === "unsafe") check();
      return Reflect.get(target, name);
    },
  });
}
