// What a question is: its parameters, the rows it answers, and the query between them.
import type { TransactionSql } from "postgres";
import type { z } from "zod";
import { queryRowsMax } from "../../shared/limits.ts";
import type { Range } from "./range.ts";

/** A row of an answer: flat but for lists of numbers, so that it is also a line of CSV. */
export type AnswerRow = Readonly<Record<string, string | number | boolean | null | readonly number[]>>;

/** One question. `ask` runs in a read-only snapshot of its own and answers at most `rowLimit` rows. */
export interface Question<Parameters extends z.ZodObject = z.ZodObject> {
  /** Last part of its path, and its name in metrics. */
  name: string;
  summary: string;
  parameters: Parameters;
  row: z.ZodObject;
  ask(tx: TransactionSql, asked: z.output<Parameters>, range: Range): Promise<AnswerRow[]>;
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
