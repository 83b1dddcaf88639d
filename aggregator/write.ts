// The writer: takes partitions, and commits records of several of them in one transaction each time.
import type { TransactionSql } from "postgres";
import type { Clock } from "../shared/clock.ts";
import { reach } from "../shared/crash-point.ts";
import { writeStatementMs } from "../shared/limits.ts";
import type { LogIdentity } from "../shared/log/log.ts";
import type { Logger } from "../shared/logger.ts";
import type { Meter } from "../shared/meter.ts";
import { retry } from "../shared/retry.ts";
import { type DecodedSlice, decodeSlice, isDecoded, type Slice, type UnreadableRecord } from "./decode.ts";
import { FencedError, OffsetError, readPositions, type Span, takePartitions } from "./fence.ts";
import { type LedgerWrites, ledgerWrites } from "./ledger/fold.ts";
import { movedLockKey } from "./moved.ts";
import { createPartitions } from "./partitions.ts";
import { makePlan } from "./plan.ts";
import { findUnwritable } from "./poison.ts";
import { createInserter, type Inserter } from "./stage.ts";
import { isAway, isPassing, isRefusal, withDeadline } from "./store/errors.ts";
import type { Store } from "./store/store.ts";
import {
  type Ground,
  moveWithout,
  NotOursError,
  type Prepared,
  sortRecords,
  writeAll,
} from "./transaction.ts";
import { tellWritten } from "./written.ts";

/** What a transaction did, or that an earlier attempt of the same had done it. */
export type WriteAnswer =
  | { stored: number; duplicate: number; quarantined: number; records: number }
  | "known";

/**
 * One session, one transaction at a time. `take` and `commit` reject with what the store says when it is
 * away (`isAway`), with a FencedError for partitions lost, and with an OffsetError where the records do
 * not follow on what is written.
 */
export interface Writer {
  /** Takes partitions, ending their previous owner's session; answers where each is to be read from. */
  take(partitions: readonly number[]): Promise<Map<number, bigint>>;
  /** The mark of the record that was read last of a partition taken, where it is known. */
  last(partition: number): string | undefined;
  /** Of these batches, the digests of those that the ledger has. */
  digests(batchIds: readonly string[]): Promise<Map<string, string>>;
  /** Makes the rows of records, without the store. May run while another commit is under way. */
  prepare(slices: readonly DecodedSlice[]): Promise<Prepared>;
  /** Writes all of it in one transaction, or nothing. */
  commit(prepared: Prepared): Promise<WriteAnswer>;
  /** The same from the records as they are read; no slice is empty. */
  write(slices: readonly Slice[]): Promise<WriteAnswer>;
  /** Goes on behind offsets that the log no longer has, or back to its end, and notes it. */
  skip(span: Span): Promise<void>;
  close(): Promise<void>;
}

export interface WriterOptions {
  store: Store;
  identity: LogIdentity;
  clock: Clock;
  meter: Meter;
  logger: Logger;
  /** For tests; the limit of one statement otherwise. */
  statementMs?: number;
  /** For benchmarks; the ledger otherwise. */
  ledger?: LedgerWrites | undefined;
  /** For simulations, which have no COPY; one of its own otherwise. */
  inserter?: Inserter | undefined;
}

/** Rounds of finding refused events in one commit; each finds all that the one before did not hide. */
const refusalRoundsMax = 8;
const again = { attemptsMax: 6, baseMs: 20, waitMsMax: 1_000 };

export async function createWriter(options: WriterOptions): Promise<Writer> {
  const { store, identity, clock, meter, logger, statementMs = writeStatementMs } = options;
  const session = await store.writer();
  const partitions = createPartitions(store);
  const epochs = new Map<number, bigint>();
  const lasts = new Map<number, string | undefined>();
  const ground: Ground = {
    log: identity,
    epochs,
    movedKey: 0n,
    now: clock.now,
    inserter: options.inserter ?? createInserter(statementMs),
    ledger: options.ledger ?? ledgerWrites,
  };

  // A session that gives no answer is given up; its transaction ends with it, and the fence decides the rest.
  const transact = async <T>(work: (tx: TransactionSql) => Promise<T>): Promise<T> =>
    (await session.begin("isolation level read committed", (tx) =>
      withDeadline("a transaction", 2 * statementMs, work(tx)),
    )) as T;

  const attempt = async (prepared: Prepared): Promise<WriteAnswer> => {
    await partitions.ensure(prepared.plan.kept);
    const started = clock.now();
    try {
      if (ground.movedKey === 0n) ground.movedKey = await transact(movedLockKey);
      const written = await transact((tx) => writeAll(tx, ground, prepared));
      reach("after_commit");
      return tellWritten(written, (clock.now() - started) / 1_000, meter, logger);
    } catch (error) {
      if (error instanceof NotOursError) return await whyNotOurs(prepared.spans);
      throw error;
    }
  };

  // Either another writer has taken a partition, or a COMMIT of ours got through whose answer did not.
  const whyNotOurs = async (spans: readonly Span[]): Promise<WriteAnswer> => {
    const positions = await readPositions(store.sql, identity);
    const lost = spans.filter(({ partition }) => positions.get(partition)?.epoch !== epochs.get(partition));
    if (lost.length > 0) throw new FencedError(lost.map((span) => span.partition));
    const next = (span: Span): bigint => positions.get(span.partition)?.nextOffset ?? 0n;
    if (spans.every((span) => next(span) === span.to)) return "known";
    const wrong = spans.find((span) => next(span) !== span.from) ?? spans[0]!;
    throw new OffsetError(wrong.partition, next(wrong), wrong.from);
  };

  // An attempt leaves its findings in the plan, so every further one begins with a new plan.
  const replan = async (prepared: Prepared): Promise<Prepared> => ({
    ...prepared,
    plan: await makePlan(prepared.sorted.fresh, prepared.plan.unwritable),
  });

  // What PostgreSQL refuses is found and set apart, and the rest tried again.
  const attemptWithoutRefused = async (first: Prepared): Promise<WriteAnswer> => {
    for (let prepared = first, round = 1; ; round += 1) {
      try {
        return await attempt(prepared);
      } catch (error) {
        if (!isRefusal(error) || round === refusalRoundsMax) throw error;
        partitions.forget();
        prepared = await replan(prepared);
        const refused = await findUnwritable(session, prepared.plan, statementMs);
        for (const [place, detail] of refused) prepared.plan.unwritable.set(place, detail);
        prepared = await replan(prepared);
      }
    }
  };

  const commit = async (first: Prepared): Promise<WriteAnswer> => {
    const work = async (attempts: number): Promise<WriteAnswer> =>
      await attemptWithoutRefused(attempts === 1 ? first : await replan(first));
    return await retry(again, clock, work, (error) => isAway(error) || isPassing(error));
  };

  const prepare = async (slices: readonly DecodedSlice[]): Promise<Prepared> => {
    const spans = slices.map(({ partition, from, to, last }) => ({ partition, from, to, last }));
    const all = slices.flatMap((slice) => slice.records);
    const records = all.filter(isDecoded);
    const sorted = sortRecords(records, new Map());
    const unreadable = all.filter((one): one is UnreadableRecord => !isDecoded(one));
    return { spans, records, unreadable, sorted, plan: await makePlan(sorted.fresh, new Map()) };
  };

  return {
    async take(wanted) {
      const taken = await retry(again, clock, () => takePartitions(session, identity, wanted), isPassing);
      for (const [partition, { epoch, last }] of taken) {
        epochs.set(partition, epoch);
        lasts.set(partition, last);
      }
      return new Map([...taken].map(([partition, { nextOffset }]) => [partition, nextOffset]));
    },
    last: (partition) => lasts.get(partition),
    digests: (batchIds) => transact((tx) => ground.ledger.digests(tx, batchIds)),
    prepare,
    async commit(prepared) {
      const answer = await commit(prepared);
      for (const { partition, last } of prepared.spans) lasts.set(partition, last);
      return answer;
    },
    write: async (slices) => await commit(await prepare(slices.map(decodeSlice))),
    async skip(span) {
      await transact((tx) => moveWithout(tx, ground, span));
      lasts.set(span.partition, span.last);
    },
    close: () => session.end({ timeout: 5 }),
  };
}
