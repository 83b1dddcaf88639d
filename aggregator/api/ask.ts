// Runs questions for the API: equal ones that wait share one answer, and only so many run at once.
import type { Clock } from "../../shared/clock.ts";
import type { Meter } from "../../shared/meter.ts";
import { toProblem, WeirError } from "../../shared/problem.ts";

/** Questions that run or wait for a connection at once; one more is refused, since waiting would only grow. */
const askedMax = 32;

/**
 * Asks `question` under a key: whoever asks the same while it runs gets the same answer. `asker` is aborted when
 * who asks hangs up, and the signal of `run` when the last of them has; without it the question runs to its end.
 */
export type Ask = <Value>(
  question: string,
  key: string,
  run: Run<Value>,
  asker?: AbortSignal,
) => Promise<Value>;

type Run<Value> = (signal: AbortSignal) => Promise<Value>;

interface Running {
  answer: Promise<unknown>;
  askers: number;
  end: AbortController;
}

export function createAsk(clock: Clock, meter: Meter): Ask {
  /** What may be joined; one that nobody waits for goes on counting until it has ended. */
  const running = new Map<string, Running>();
  let underWay = 0;

  async function measured<Value>(question: string, run: Run<Value>, signal: AbortSignal): Promise<Value> {
    const began = clock.now();
    let code = "ok";
    try {
      return await run(signal);
    } catch (error) {
      code = signal.aborted ? "client_closed_request" : toProblem(error).code;
      throw error;
    } finally {
      const seconds = (clock.now() - began) / 1000;
      meter.record("weir.aggregator.query.duration", seconds, {
        "weir.question": question,
        "weir.code": code,
      });
    }
  }

  function start<Value>(question: string, name: string, run: Run<Value>): Running {
    if (underWay >= askedMax) throw new WeirError("overloaded", `${askedMax} questions are being answered.`);
    underWay += 1;
    const end = new AbortController();
    const answer = measured(question, run, end.signal).finally(() => {
      underWay -= 1;
      close(name, one);
    });
    const one: Running = { answer, askers: 0, end };
    running.set(name, one);
    return one;
  }

  function close(name: string, one: Running): void {
    if (running.get(name) === one) running.delete(name);
  }

  function leave(name: string, one: Running): void {
    one.askers -= 1;
    if (one.askers > 0) return;
    close(name, one);
    one.end.abort();
  }

  return async (question, key, run, asker) => {
    asker?.throwIfAborted();
    const name = `${question}?${key}`;
    const one = running.get(name) ?? start(question, name, run);
    one.askers += 1;
    const gone = leave.bind(undefined, name, one);
    asker?.addEventListener("abort", gone, { once: true });
    try {
      return (await one.answer) as Awaited<ReturnType<typeof run>>;
    } finally {
      asker?.removeEventListener("abort", gone);
    }
  };
}
