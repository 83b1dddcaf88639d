// The routes of the questions over events and streams, which a replica may answer.
import type { Hono } from "hono";
import { type Answer, answer, bounded } from "../read/answer.ts";
import { askCompleteness, completenessRow } from "../read/completeness.ts";
import { questions } from "../read/questions.ts";
import type { OpenReading } from "../store/replica.ts";
import type { Ask } from "./ask.ts";
import { formed, namesIn } from "./formed.ts";

/** Adds the routes; who may ask was checked before. */
export function addQuestions(app: Hono, read: OpenReading, ask: Ask): void {
  for (const question of questions) {
    const names = Object.keys(question.row.shape);
    app.get(`/v1/${question.name}`, async (context) => {
      const run = async (signal: AbortSignal): Promise<Answer> => {
        const { sql, reachedMs } = await bounded(read());
        return await answer(sql, question, context.req.queries(), reachedMs, signal);
      };
      const { url, signal } = context.req.raw;
      const found = await ask(question.name, new URL(url).search, run, signal);
      // A column that this answer has not is left out; of an empty one nobody knows.
      const columns = found.data.length === 0 ? names : namesIn(question.row, found);
      return formed(context, columns, found, question.isPersonal ? "no-store" : undefined);
    });
  }
  app.get("/v1/completeness", async (context) => {
    const run = async (signal: AbortSignal): Promise<Answer> => {
      const { sql, reachedMs } = await bounded(read());
      return await askCompleteness(sql, context.req.queries(), reachedMs, signal);
    };
    const { url, signal } = context.req.raw;
    const found = await ask("completeness", new URL(url).search, run, signal);
    return formed(context, namesIn(completenessRow, found), found);
  });
}
