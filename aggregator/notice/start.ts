// Starts what tells the outside: closed figures become notices, notices go to the log, old ones are forgotten.
import type { Clock } from "../../shared/clock.ts";
import type { Log } from "../../shared/log/log.ts";
import type { Logger } from "../../shared/logger.ts";
import type { Meter } from "../../shared/meter.ts";
import type { Store } from "../store/store.ts";
import { forgetNotices, tellWaiting } from "./forget.ts";
import type { Notice } from "./notices.ts";
import { publishStep } from "./publish-step.ts";
import { repeat } from "./repeat.ts";

export interface NoticesOptions {
  store: Store;
  log: Log;
  clock: Clock;
  meter: Meter;
  logger: Logger;
  /** Where the notices of each kind go; one without a name stays in the table alone. */
  topics: Readonly<Record<Notice["topic"], string>>;
}

/** How old a notice is at most before it goes out, where all is well. */
const idleMs = 1_000;
/** The pause where another aggregator is at it. */
const busyMs = 5_000;
/** How often it is looked at what waits, and what is old. */
const lookMs = 10_000;
const kinds: readonly Notice["topic"][] = ["metrics", "alerts"];

/** Begins; `close` takes no longer than a second and loses nothing. */
export function startNotices(options: NoticesOptions): { close(): Promise<void> } {
  const { log, clock, meter, topics } = options;
  const published = log.notices === undefined ? [] : kinds.filter((kind) => topics[kind] !== "");
  const kept = kinds.filter((kind) => !published.includes(kind));
  const loops = published.map((kind) => startPublishing(options, kind));
  const looking = repeat({
    ...options,
    fault: "notices_look_failed",
    async step(session) {
      for (const kind of published) await tellWaiting(session, meter, kind, clock.now());
      await forgetNotices(session, kept, clock.now());
      return lookMs;
    },
  });
  return {
    async close() {
      await Promise.all([looking, ...loops].map((loop) => loop.close()));
    },
  };
}

// Each kind by a publisher of its own, so that none waits for the topic of the other.
function startPublishing(options: NoticesOptions, kind: Notice["topic"]): { close(): Promise<void> } {
  const topic = options.topics[kind];
  const publisher = options.log.notices?.([topic]);
  if (publisher === undefined) return { close: async () => {} };
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
