// What a question is: its parameters, the rows it answers, and the query between them.
import type { TransactionSql } from "postgres";
import type { z } from "zod";
import { queryRowsMax } from "../../shared/limits.ts";
import type { Place } from "./cursor.ts";
import type { Range } from "./range.ts";

export type Cell = string | number | boolean | null;

/** A row of an answer: flat but for lists, so that it is also a line of CSV. */
export type AnswerRow = Readonly<Record<string, Cell | readonly number[] | readonly string[]>>;

/**
 * One question. `ask` runs in a read-only snapshot of its own. It answers at most `rowLimit` rows, or, where it
 * takes a `limit`, at most one more than that.
 */
export interface Question<Parameters extends z.ZodObject = z.ZodObject> {
  /** Last part of its path, and its name in metrics. */
  name: string;
  summary: string;
  parameters: Parameters;
  row: z.ZodObject;
  ask(tx: TransactionSql, asked: z.output<Parameters>, range: Range): Promise<AnswerRow[]>;
  /** Of a question that takes `limit` and `cursor`: where a row lies in the order of its rows, which is total. */
  placeOf?(row: AnswerRow): Place;
  /** What `meta` says of the rows beside what it always does. */
  metaOf?(rows: readonly AnswerRow[]): Readonly<Record<string, Cell>>;
  /** Whether its rows tell of single people, so that nobody on the way keeps them. */
  isPersonal?: true;
  /** Whether `ask` reads a model: then `as_of` is no later than the oldest event that is not in it yet. */
  isModelled?(asked: z.output<Parameters>, range: Range): boolean;
}

/** One row more than an answer may have, so that a cut answer is known and never given. */
export const rowLimit: number = queryRowsMax + 1;

/** Keeps the parameters' types between a question's schema and its query. */
export function defineQuestion<Parameters extends z.ZodObject>(
  question: Question<Parameters>,
): Question<Parameters> {
  return question;
}
