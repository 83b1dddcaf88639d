// Judges one rule by what is stored now, in the snapshot of whoever asks.
import type { TransactionSql } from "postgres";
import type { LogReader } from "../../shared/log/log.ts";
import { createInFlight } from "../read/in-flight.ts";
import { readPositions } from "../read/ledger.ts";
import { errorCode, errorText, isLost } from "../store/errors.ts";
import { judgeChange, judgeThreshold } from "./judge-figure.ts";
import { judgeLedger } from "./judge-ledger.ts";
import { judgeNoData } from "./judge-no-data.ts";
import { judgeStreams } from "./judge-streams.ts";
import type { Verdict } from "./machine.ts";
import type { Rule } from "./rule.ts";

/** What a rule was found to be. */
export interface Measured {
  verdict: Verdict;
  /** In the rule's own unit; null where there is none. */
  value: number | null;
  /** A sentence without its full stop, for whoever is told. */
  detail: string;
  /** What the next judgement of the rule is given back. */
  memo?: unknown;
}

/** What a judgement may look at; times are epoch ms. */
export interface Looked {
  tx: TransactionSql;
  now: number;
  /** Since when the rule has been judged without a break. */
  watchedSince: number;
  memo: unknown;
  reader: LogReader;
  /** Whether the log holds events that were received half a minute ago or earlier and are not stored yet. */
  isBehind(): Promise<boolean>;
}

/** Judges one rule. Never rejects but where the connection is lost: what cannot be read is `unknown`. */
export type Measure = (rule: Rule, looked: Omit<Looked, "reader" | "isBehind">) => Promise<Measured>;

/** A statement of a rule; a round of many slow ones ends all the same. */
const statementMs = 5_000;
/** What is told is bounded, however many types a rule names. */
const detailLengthMax = 1_000;
/** What is in the log for longer than this is late, and what is stored may be less than what happened. */
const behindMs = 30_000;

/** Makes the measure over a log, which is asked whether what is stored is all there is. */
export function createMeasure(reader: LogReader): Measure {
  const inFlight = createInFlight(reader, Date.now);
  return async (rule, { tx, ...rest }) => {
    try {
      return await tx.savepoint(async (own) => {
        await own`
          select set_config('statement_timeout', ${String(statementMs)}, true),
            set_config('work_mem', '64MB', true),
            set_config('jit', 'off', true)`;
        const isBehind = async (): Promise<boolean> => {
          const { next } = await readPositions(own, reader.identity);
          const { records, unread } = await inFlight.look(next);
          const late = rest.now - behindMs;
          return unread.size > 0 || records.some((one) => one.events > 0 && one.receivedAt < late);
        };
        const found = await judge(rule, { ...rest, tx: own, reader, isBehind });
        return { ...found, detail: found.detail.slice(0, detailLengthMax) };
      });
    } catch (error) {
      if (isLost(error)) throw error;
      const why = errorCode(error) === "57014" ? `it took over ${statementMs / 1000} s` : errorText(error);
      return { verdict: "unknown", value: null, detail: `cannot be judged: ${why}`, memo: rest.memo };
    }
  };
}

function judge(rule: Rule, looked: Looked): Promise<Measured> {
  switch (rule.kind) {
    case "threshold":
      return judgeThreshold(rule, looked);
    case "change":
      return judgeChange(rule, looked);
    case "no_data":
      return judgeNoData(rule, looked);
    case "completeness":
      return judgeStreams(rule, looked);
    case "ledger":
      return judgeLedger(looked);
  }
}
