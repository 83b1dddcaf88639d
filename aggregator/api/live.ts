// The route of what happens now: a stream of Server-Sent Events, or the same once as an ordinary answer.
import type { Context, Hono } from "hono";
import type { Clock } from "../../shared/clock.ts";
import { type Answer, readParameters } from "../read/answer.ts";
import { createLive, type LiveAsked, liveParameters, liveRow } from "../read/live.ts";
import type { Store } from "../store/store.ts";
import type { Ask } from "./ask.ts";
import { formed } from "./formed.ts";
import { createListeners } from "./live-listeners.ts";

export interface LiveSettings {
  store: Store;
  clock: Clock;
  freshSeconds?: (() => number | null) | undefined;
  /** Types of events that are counted as conversions. */
  conversionTypes?: readonly string[] | undefined;
  /** Ends all streams when the process does. */
  ending?: AbortSignal | undefined;
}

/** Adds the route; who may ask was checked before. */
export function addLive(app: Hono, settings: LiveSettings, ask: Ask): void {
  const { store, clock, freshSeconds, conversionTypes = ["purchase"], ending } = settings;
  const live = createLive({ sql: store.sql, conversionTypes, freshSeconds });
  const listeners = createListeners(live, clock);
  ending?.addEventListener("abort", () => listeners.close(), { once: true });

  app.get("/v1/live", async (context) => {
    const asked = readParameters(liveParameters, context.req.queries());
    const { project, types, users } = asked;
    const counted = { project, types, users };
    if (isOnce(context, asked)) {
      const run = async (): Promise<Answer> => (await live.look(false)).answer(counted);
      const answer = await ask("live", new URL(context.req.url).search, run);
      return formed(context, Object.keys(liveRow.shape), answer, "no-store");
    }
    const listening = { ...counted, withEvents: asked.events === "1" };
    const stream = listeners.listen(listening, context.req.raw.signal);
    return context.body(stream, 200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      // A proxy that gathers an answer before it passes it on would show nothing.
      "x-accel-buffering": "no",
    });
  });
}

function isOnce(context: Context, { once, format }: LiveAsked): boolean {
  const accepted = context.req.header("accept") ?? "";
  const isJson = accepted.includes("application/json") && !accepted.includes("text/event-stream");
  return once === "1" || format === "csv" || isJson;
}

/** How the description tells of it. */
export const describedLive = {
  name: "live",
  summary: "What happens now: sliding windows, as a stream that is renewed each second or once",
  parameters: liveParameters,
  row: liveRow,
};

const time = { type: "string", format: "date-time" };

export const liveMeta = {
  type: "object",
  required: ["from", "to", "as_of", "watermark", "events_per_second", "freshness_seconds"],
  properties: {
    from: { ...time, description: "Where the longest window begins, inclusive" },
    to: { ...time, description: "Where all windows end, exclusive: the store's last whole second" },
    as_of: { ...time, description: "What was stored before this is in the answer" },
    watermark: { type: ["string", "null"], format: "date-time", description: "Greatest stored event_time" },
    events_per_second: { type: "number", description: "Over the last 10 seconds" },
    freshness_seconds: {
      type: ["number", "null"],
      description: "Age of the newest event that was sent to be timed; null where none is",
    },
  },
};
