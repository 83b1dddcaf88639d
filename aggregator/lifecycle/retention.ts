// Removes what has been kept long enough, day by day, where a number of days is set; and what is empty then.
import type { Clock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/logger.ts";
import { errorText } from "../store/errors.ts";
import type { Store } from "../store/store.ts";
import { dropEmpty } from "./chunks.ts";
import { expireEvents } from "./remove.ts";

export interface RetentionOptions {
  store: Store;
  clock: Clock;
  logger: Logger;
  /** Days an event is kept after it happened; 0: for ever. */
  days: number;
  /** The pause between two rounds, ms. */
  everyMs?: number;
}

const dayMs = 86_400_000;
const everyMsDefault = 600_000;
/** The end does not wait longer for a round: its steps are whole each by itself, and the next round goes on. */
const stopMs = 1_000;
/** Projects of one round; what is left is the next one's. */
const projectsMax = 1_000;

/** Begins the rounds, the first one a pause after the start; `close` waits a moment for the one under way. */
export function startRetention(options: RetentionOptions): { close(): Promise<void> } {
  const { clock, logger, days, everyMs = everyMsDefault } = options;
  const ended = new AbortController();
  const run = async (): Promise<void> => {
    while (!ended.signal.aborted) {
      await clock.sleep(everyMs, ended.signal);
      if (ended.signal.aborted) return;
      const round = async (): Promise<unknown> => {
        if (days > 0) await retain(options);
        return await dropEmpty(options.store, clock);
      };
      await round().catch((error: unknown) => {
        if (!ended.signal.aborted) logger.error("retention_failed", { error: errorText(error) });
      });
    }
  };
  const running = run();
  return {
    async close() {
      ended.abort();
      await Promise.race([running, clock.sleep(stopMs)]);
    },
  };
}

/**
 * One round: whole UTC days go, of every project. Answers the rows removed. Aggregators may run it side by
 * side: a row is removed and counted by one of them.
 */
export async function retain({ store, clock, days }: RetentionOptions): Promise<number> {
  const from = Math.floor(clock.now() / dayMs) * dayMs - days * dayMs;
  let rows = 0;
  for (let projects = 0; projects < projectsMax; projects += 1) {
    // Ids begin with their event's time, so the oldest event is at the end of the key's index.
    const [oldest] = await store.sql`
      select project_id from events where event_time < ${new Date(from)} order by id limit 1`;
    if (oldest === undefined) break;
    const removed = await expireEvents(store, { project: oldest["project_id"], from, actor: "retention" });
    rows += removed.rows;
  }
  return rows;
}
