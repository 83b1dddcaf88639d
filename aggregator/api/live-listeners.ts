// Whoever listens to the last hour: one look a second for all of them, and a stream each that is never waited for.
import type { Clock } from "../../shared/clock.ts";
import { toProblem, WeirError } from "../../shared/problem.ts";
import type { Answer } from "../read/answer.ts";
import type { Live, Look } from "../read/live.ts";
import type { HourAsked } from "../read/live-hour.ts";
import { tailFor } from "../read/live-tail.ts";

/** Streams of one process: a look is shared, so 100 of them cost 100 short texts a second. */
export const listenersMax = 100;
/** Different questions among them: each is some 20 ms of counting a second where an hour has 7 million people. */
export const questionsMax = 16;
/** Bytes that may wait for one reader, beside what its connection holds: a few seconds of the longest texts. */
const waitingBytesMax = 256 * 1024;
const everyMs = 1_000;
/** Below the 30 s in which a silent connection is taken for a dead one. */
const silentMsMax = 10_000;
/** A reader whose stream ended asks again after this long. */
const retryMs = 2_000;

export interface ListenAsked extends HourAsked {
  withEvents: boolean;
}

export interface Listeners {
  /** A stream of Server-Sent Events. Throws `overloaded` where too many listen, `shutting_down` at the end. */
  listen(asked: ListenAsked, signal: AbortSignal): ReadableStream<Uint8Array>;
  /** Ends all streams; nobody listens from then on. */
  close(): void;
}

interface Listener {
  asked: ListenAsked;
  question: string;
  controller: ReadableStreamDefaultController<Uint8Array>;
  /** What of the windows it was sent last. */
  shown: string;
  saidAt: number;
}

const encoder = new TextEncoder();

export function createListeners(live: Live, clock: Clock): Listeners {
  const listeners = new Set<Listener>();
  const ended = new AbortController();
  let isLooking = false;

  const drop = (listener: Listener): void => {
    if (!listeners.delete(listener)) return;
    try {
      listener.controller.close();
    } catch {
      // Its reader has left by itself.
    }
  };

  // A reader that is too slow asks again, and begins with what is true then.
  function say(listener: Listener, text: string): void {
    if ((listener.controller.desiredSize ?? 0) <= 0) {
      drop(listener);
      return;
    }
    listener.controller.enqueue(encoder.encode(text));
    listener.saidAt = clock.now();
  }

  function tell(look: Look): void {
    const answers = new Map<string, Answer>();
    for (const listener of listeners) {
      const { asked, question } = listener;
      const answer = answers.get(question) ?? look.answer(asked);
      answers.set(question, answer);
      const { from: _, to, as_of: __, ...rest } = answer.meta;
      const shown = JSON.stringify([answer.data, { ...rest, freshness_seconds: null }]);
      if (shown !== listener.shown) {
        listener.shown = shown;
        say(listener, writeEvent("windows", answer, Date.parse(String(to)) / 1_000));
      }
      if (!asked.withEvents) continue;
      const tail = tailFor(look.tail, asked);
      if (tail.events.length > 0 || tail.dropped > 0) say(listener, writeEvent("events", tail));
    }
  }

  async function turn(): Promise<void> {
    try {
      tell(await live.look([...listeners].some(({ asked }) => asked.withEvents)));
    } catch (error) {
      const { code, detail } = toProblem(error);
      for (const listener of listeners) {
        if (listener.shown === code) continue;
        listener.shown = code;
        say(listener, writeEvent("fault", { code, detail }));
      }
    }
    for (const listener of listeners) {
      if (clock.now() - listener.saidAt >= silentMsMax) say(listener, ": nothing has changed\n\n");
    }
  }

  async function run(): Promise<void> {
    while (listeners.size > 0) {
      const began = clock.now();
      await turn();
      await clock.sleep(Math.max(0, everyMs - (clock.now() - began)), ended.signal);
    }
    isLooking = false;
    live.forget();
  }

  return {
    listen(asked, signal) {
      if (ended.signal.aborted) throw new WeirError("shutting_down", "This process is ending.");
      const { withEvents: _, ...counted } = asked;
      const question = JSON.stringify(counted);
      const questions = new Set([...listeners].map((one) => one.question)).add(question);
      if (listeners.size >= listenersMax || questions.size > questionsMax) {
        throw new WeirError("overloaded", `${listeners.size} streams are being read.`);
      }
      let listener: Listener | undefined;
      const leave = (): void => {
        if (listener !== undefined) drop(listener);
      };
      signal.addEventListener("abort", leave, { once: true });
      return new ReadableStream<Uint8Array>(
        {
          start(controller) {
            listener = { asked, question, controller, shown: "", saidAt: clock.now() };
            listeners.add(listener);
            say(listener, `retry: ${retryMs}\n\n`);
            if (isLooking) return;
            isLooking = true;
            void run();
          },
          cancel: leave,
        },
        new ByteLengthQueuingStrategy({ highWaterMark: waitingBytesMax }),
      );
    },
    close() {
      ended.abort();
      for (const listener of listeners) drop(listener);
    },
  };
}

// JSON has no line breaks of its own, so that one line is one event.
function writeEvent(name: string, body: unknown, id?: number): string {
  return `event: ${name}\n${id === undefined ? "" : `id: ${id}\n`}data: ${JSON.stringify(body)}\n\n`;
}
