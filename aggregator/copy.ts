// Binary COPY through postgres.js, without the trap at its end.
import type { Writable } from "node:stream";
import type { TransactionSql } from "postgres";
import { reach } from "../shared/crash-point.ts";
import { copyHeader, copyTrailer } from "./copy-bytes.ts";
import { withDeadline } from "./store/errors.ts";

/** Bytes handed to the socket at once; larger pieces only lengthen the pauses of the event loop. */
const pieceBytes = 256 * 1024;

/**
 * Copies rows into a table (a name or `name (columns)`) inside a savepoint: resolves once the server has
 * taken every row; rejects with the server's error, and then nothing of the COPY is left and `tx` goes
 * on. Rejects with a DeadlineError where no answer comes within `deadlineMs`; the session is lost then.
 */
export async function copyRows(
  tx: TransactionSql,
  target: string,
  rows: Uint8Array,
  deadlineMs: number,
): Promise<void> {
  await withDeadline("COPY", deadlineMs, copyPieces(tx, target, [copyHeader, ...cut(rows), copyTrailer]));
}

/** The same from pieces of a whole binary COPY, header and trailer among them, for as long as it takes. */
export async function copyPieces(
  tx: TransactionSql,
  target: string,
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  // The stream of postgres.js drops itself when CopyDone is sent: an error that the server tells only
  // then (a unique key, a trigger) reaches nobody, and neither `finish` nor `error` ever comes. So what
  // is waited for is not the stream's end but CopyDone leaving us, and then the answer to a statement
  // behind it, which fails with 25P02 where the COPY did. The query's own settling tells which error it was.
  let refused: unknown;
  const work = tx.savepoint(async (inner) => {
    const query = inner.unsafe(`copy ${target} from stdin (format binary)`);
    const settle = query as unknown as { reject: (error: unknown) => void };
    const rejectQuery = settle.reject;
    settle.reject = (error) => {
      refused ??= error;
      rejectQuery(error);
    };
    const stream = await query.writable();
    reach("in_copy");
    await feed(stream, pieces);
    await inner.unsafe("select 1");
  });
  try {
    await work;
  } catch (error) {
    throw refused ?? error;
  }
}

// Resolves when CopyDone has gone out, or rejects where the stream breaks before.
async function feed(
  stream: Writable,
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  let broken: (error: unknown) => void = () => {};
  const failure = new Promise<never>((_, reject) => {
    broken = reject;
  });
  failure.catch(() => {});
  stream.on("error", broken);
  const done = copyDoneSent(stream);
  try {
    for await (const piece of pieces) {
      if (!stream.write(piece)) await Promise.race([drained(stream), failure]);
    }
  } catch (error) {
    // The server is told, or it would wait for more.
    stream.destroy(error as Error);
    throw error;
  }
  stream.end();
  await Promise.race([done, failure]);
}

function copyDoneSent(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const final = stream._final.bind(stream);
    stream._final = (callback) => {
      final(callback);
      resolve();
    };
  });
}

function* cut(rows: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < rows.length; at += pieceBytes) yield rows.subarray(at, at + pieceBytes);
}

const drained = (stream: Writable): Promise<void> => new Promise((resolve) => stream.once("drain", resolve));
