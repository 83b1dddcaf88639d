// Runs questions for the API: equal ones that wait share one answer, and only so many run at once.
import type { Clock } from "../../shared/clock.ts";
import type { Meter } from "../../shared/meter.ts";
import { toProblem, WeirError } from "../../shared/problem.ts";

/** Questions that run or wait for a connection at once; one more is refused, since waiting would only grow. */
const askedMax = 32;

/** Asks `question` under a key: whoever asks the same while it runs gets the same answer. */
export type Ask = <Value>(question: string, key: string, run: () => Promise<Value>) => Promise<Value>;

export function createAsk(clock: Clock, meter: Meter): Ask {
  const running = new Map<string, Promise<unknown>>();

  async function measured<Value>(question: string, run: () => Promise<Value>): Promise<Value> {
    const began = clock.now();
    let code = "ok";
    try {
      return await run();
    } catch (error) {
      code = toProblem(error).code;
      throw error;
    } finally {
      const seconds = (clock.now() - began) / 1000;
      meter.record("weir.aggregator.query.duration", seconds, {
        "weir.question": question,
        "weir.code": code,
      });
    }
  }

  return async (question, key, run) => {
    const name = `${question}?${key}`;
    const same = running.get(name);
    if (same !== undefined) return same as ReturnType<typeof run>;
    if (running.size >= askedMax)
      throw new WeirError("overloaded", `${askedMax} questions are being answered.`);
    const asked = measured(question, run).finally(() => running.delete(name));
    running.set(name, asked);
    return asked;
  };
}
