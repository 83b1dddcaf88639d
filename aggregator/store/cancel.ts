// Ends what a transaction runs when nobody wants it any more, by PostgreSQL's own request for that.
import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Sql, State, TransactionSql } from "postgres";
import { DeadlineError } from "./errors.ts";

/** A server that has not dealt with a request by then is taken for one that answers nobody. */
const cancelMs = 5_000;
/** A request that arrives between two statements ends neither, so it is sent again. */
const repeatMs = 100;
/** Codes of the protocol, each in place of its version. */
const [cancelCode, tlsCode] = [80877102, 80877103];
const tlsAccepted = "S".charCodeAt(0);

/** A session as the server, or the pooler before it, knows it. */
type Session = Pick<State, "pid" | "secret">;

/**
 * The work of a transaction of `sql`, whose statements are ended once `signal` is aborted; it rejects then as they
 * do. The transaction is not over before the server has dealt with every request to end one, so that none reaches
 * what the session does next. Where the server does not deal with it, the work rejects with a DeadlineError, after
 * which the pool gives that session to nobody.
 */
export function whileWanted<Value>(sql: Sql, signal: AbortSignal, work: Work<Value>): Work<Value> {
  return (tx) => run(sql, tx, signal, work);
}

type Work<Value> = (tx: TransactionSql) => Promise<Value>;

async function run<Value>(
  sql: Sql,
  tx: TransactionSql,
  signal: AbortSignal,
  work: Work<Value>,
): Promise<Value> {
  signal.throwIfAborted();
  // Not waited for: it goes with the first statement of the work, and is answered before that.
  const session = tx`select 1`.then(({ state: { pid, secret } }) => ({ pid, secret }));
  session.catch(() => {});
  const over = Promise.withResolvers<void>();
  let isOver = false;
  let cancelling: Promise<void> | undefined;
  const cancel = async (): Promise<void> => {
    const found = await session.catch(() => undefined);
    while (found !== undefined && !isOver) {
      await sendCancel(sql.options, found);
      await Promise.race([over.promise, new Promise((resolve) => setTimeout(resolve, repeatMs))]);
    }
  };
  const begin = (): void => {
    cancelling = cancel();
    cancelling.catch(() => {});
  };
  signal.addEventListener("abort", begin, { once: true });
  try {
    return await work(tx);
  } finally {
    isOver = true;
    over.resolve();
    signal.removeEventListener("abort", begin);
    await cancelling;
  }
}

/**
 * Resolves once the server has dealt with the request, which it tells by closing the connection, or could not be
 * reached; rejects with a DeadlineError where it may still come. It goes the way a session does: encrypted where
 * that is, and as a pooler expects it.
 */
function sendCancel({ host, port, ssl }: Sql["options"], { pid, secret }: Session): Promise<void> {
  const request = message(cancelCode, pid, secret);
  return new Promise((resolve, reject) => {
    const plain = connect(port[0]!, host[0]!);
    const late = setTimeout(() => {
      reject(new DeadlineError("a request to cancel", cancelMs));
      plain.destroy();
    }, cancelMs);
    plain.once("close", () => {
      clearTimeout(late);
      resolve();
    });
    // It closes then, too.
    plain.on("error", () => {});
    if (typeof ssl !== "object") {
      plain.write(request);
      plain.resume();
      return;
    }
    plain.write(message(tlsCode));
    plain.once("data", ([answer]: Buffer) => {
      if (answer !== tlsAccepted) {
        plain.destroy();
        return;
      }
      const secure = connectTls({ ...ssl, socket: plain });
      secure.once("close", () => plain.destroy());
      secure.on("error", () => plain.destroy());
      secure.write(request);
      secure.resume();
    });
  });
}

function message(...words: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * (words.length + 1));
  for (const [place, word] of [bytes.length, ...words].entries()) bytes.writeUInt32BE(word, 4 * place);
  return bytes;
}
