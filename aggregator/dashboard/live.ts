// What happens now: the windows of the last minutes, as the aggregator's stream tells them.
import type { Answer } from "../read/answer.ts";
import { ask, type Query, request } from "./ask.ts";
import { find, write } from "./element.ts";
import { formatCount, formatRate } from "./format.ts";

/** A stream says something every 10 s; one that is silent for longer is none any more. */
const silentMs = 25_000;
/** A stream that broke off is opened again after this long, then after twice as long, and so on. */
const [pauseMs, pauseMsMax] = [1_000, 30_000];
const dayMs = 86_400_000;

/**
 * Keeps what is shown up to date for these parameters; called again, it goes on, or begins anew for other ones.
 * Whatever ails the stream is not told: the page's own questions do that.
 */
export function createLive(): (shared: Query) => void {
  let following: AbortController | undefined;
  let followed = "";
  const stop = (): void => {
    following?.abort();
    following = undefined;
  };
  // A page nobody looks at listens to nothing.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) stop();
  });
  return (shared) => {
    const wanted = JSON.stringify(shared);
    if (document.hidden || (following !== undefined && wanted === followed)) return;
    stop();
    following = new AbortController();
    followed = wanted;
    void follow(shared, following.signal);
  };
}

async function follow(shared: Query, signal: AbortSignal): Promise<void> {
  for (let waitMs = pauseMs; !signal.aborted; waitMs = Math.min(pauseMsMax, 2 * waitMs)) {
    try {
      const began = performance.now();
      await listen(shared, signal);
      if (performance.now() - began > silentMs) waitMs = pauseMs;
    } catch {
      // One answer now and then is what is left where streams do not come through.
      if (!signal.aborted) await ask("live", { ...shared, once: "1" }, signal).then(show, () => {});
    }
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

/** Shows a stream until it ends; rejects where it breaks off or falls silent. */
async function listen(shared: Query, signal: AbortSignal): Promise<void> {
  const silence = new AbortController();
  const either = AbortSignal.any([signal, silence.signal]);
  const headers = { accept: "text/event-stream" };
  const response = await request(`live?${new URLSearchParams(shared)}`, { headers }, either, dayMs);
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const timer = setTimeout(() => silence.abort(), silentMs);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done || signal.aborted) return;
    const said = (text + value).split("\n\n");
    text = said.pop()!;
    for (const one of said) {
      const data = /^event: windows\n(?:.*\n)*data: (.*)$/.exec(one)?.[1];
      if (data !== undefined) show(JSON.parse(data) as Answer);
    }
  }
}

function show({ data, meta }: Answer): void {
  for (const row of data) {
    for (const name of ["active_users", "events", "conversions"]) {
      write(find(`live-${name}-${row["window"]}`), formatCount(Number(row[name])));
    }
    if (row["window"] === "5m") write(find("tile-live"), formatCount(Number(row["active_users"])));
  }
  write(find("live-rate"), formatRate(Number(meta["events_per_second"])));
}
