// Starts what tells the outside: closed figures become notices, notices go to the log, old ones are forgotten.
import type { Clock } from "../../shared/clock.ts";
import { correctionMs, correctionMsMax, noticesWaitingMax } from "../../shared/limits.ts";
import type { Log, LogReader } from "../../shared/log/log.ts";
import type { Logger } from "../../shared/logger.ts";
import type { Meter } from "../../shared/meter.ts";
import { repeat } from "../repeat.ts";
import type { Store } from "../store/store.ts";
import { forgetNotices, tellWaiting } from "./forget.ts";
import type { Notice } from "./notices.ts";
import { publishStep } from "./publish-step.ts";
import { tellStep, toldDaysOfStep } from "./tell-step.ts";
import { hourMs } from "./told-days.ts";
import type { NoticeTopics } from "./topics.ts";
import { createWatermark } from "./watermark.ts";

export interface NoticesOptions {
  store: Store;
  log: Log;
  /** Of the log whose events are folded. */
  reader: Pick<LogReader, "identity" | "ranges">;
  clock: Clock;
  meter: Meter;
  logger: Logger;
  topics: NoticeTopics;
  /** How long after its end an hour or a day is closed. */
  latenessMs: number;
  /** The pause between two looks at what is closed, ms. */
  lookMs?: number;
}

/** How old a notice is at most before it goes out, where all is well. */
const idleMs = 1_000;
/** The pause where another aggregator is at it. */
const busyMs = 5_000;
/** How often it is looked at what is closed, what waits, and what is old. */
const lookMsDefault = 10_000;
const kinds: readonly Notice["topic"][] = ["metrics", "alerts"];

type Loop = ReturnType<typeof repeat>;

/** Begins; `close` takes no longer than a second and loses nothing. */
export function startNotices(options: NoticesOptions): { close(): Promise<void> } {
  const { log, topics } = options;
  const published = log.notices === undefined ? [] : kinds.filter((kind) => topics[kind] !== "");
  const loops = [
    startLooking(options, published),
    ...published.map((kind) => startPublishing(options, kind)),
  ];
  return {
    async close() {
      await Promise.all(loops.map((loop) => loop.close()));
    },
  };
}

function startLooking(options: NoticesOptions, published: readonly Notice["topic"][]): Loop {
  const { reader, clock, meter, latenessMs, lookMs = lookMsDefault } = options;
  const kept = kinds.filter((kind) => !published.includes(kind));
  const look = createWatermark(reader, clock);
  return repeat({
    ...options,
    fault: "notices_look_failed",
    async step(session) {
      const now = clock.now();
      await forgetNotices(session, kept, now);
      let isFull = false;
      for (const kind of published) {
        const waiting = await tellWaiting(session, meter, kind, now);
        if (kind === "metrics") isFull = waiting >= noticesWaitingMax;
      }
      const watermark = await look(session);
      if (isFull || watermark === undefined) return lookMs;
      const closedUntil = Math.floor((watermark.at - latenessMs) / hourMs) * hourMs;
      const done = await tellStep(session, {
        look: { watermark, closedUntil, now },
        correctionMs,
        correctionMsMax,
      });
      return done !== "busy" && done.days === toldDaysOfStep ? 0 : lookMs;
    },
  });
}

// Each kind by a publisher of its own, so that none waits for the topic of the other.
function startPublishing(options: NoticesOptions, kind: Notice["topic"]): Loop {
  const topic = options.topics[kind];
  const publisher = options.log.notices!([topic]);
  const loop = repeat({
    ...options,
    fault: "notices_publish_failed",
    async step(session) {
      const sent = await publishStep(session, publisher, kind, topic);
      if (sent === "busy") return busyMs;
      return sent > 0 ? 0 : idleMs;
    },
  });
  return {
    async close() {
      await publisher.close();
      await loop.close();
    },
  };
}
