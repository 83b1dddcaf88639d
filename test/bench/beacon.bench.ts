// What the beacon costs a page: bytes, time to load, and time of the main thread for an event.
import type { Browser, Page } from "playwright-core";
import { beaconScript } from "../../edge/beacon/built.ts";
import { launch } from "../browser/browser.ts";
import { type Bench, interleave, median } from "./bench.ts";

const rounds = 15;
const eventsARound = 200;
const bytesGoal = 3_072;
const eventMsGoal = 2;

// Packed, as measured in November 2026: @plausible-analytics/tracker 0.4.6, Umami's script of May 2026,
// all parts of @segment/analytics-next 1.84.3, posthog-js 1.449.2 (array.js).
const others = { plausible: 2_584, umami: 2_353, segment: 47_925, posthog: 121_980 };

export default {
  name: "beacon",
  needs: [],
  async run({ add, say }) {
    const bytes = Bun.gzipSync(beaconScript, { level: 9 }).length;
    add("weir.js, packed", bytes, "B", { goal: `≤ ${bytesGoal}`, ok: bytes <= bytesGoal });
    for (const [name, size] of Object.entries(others)) {
      add(`weir.js; to ${name}'s ${size.toLocaleString("en")} B`, bytes, "B", { ratio: bytes / size });
    }
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
    const browser = await launch();
    try {
      say(`${rounds} rounds of a page without the beacon and with it, and of ${eventsARound} events`);
      const turns = await interleave<"bare" | "beacon", Load>(rounds, {
        bare: () => load(browser, new URL("/bare", server.url).href),
        beacon: () => load(browser, new URL("/beacon", server.url).href),
      });
      for (const what of ["loadMs", "scriptMs", "taskMs"] as const) {
        const of = (side: readonly Load[]): number => median(side.map((one) => one[what]));
        add(`a page without the beacon, ${names[what]}`, of(turns.bare), "ms");
        add(`the same page with it, beyond that`, of(turns.beacon) - of(turns.bare), "ms");
      }
      const steps = await interleave<"store" | "track", number>(rounds, {
        store: () => onPage(browser, server.url, storeAlone),
        track: () => onPage(browser, server.url, trackEvents),
      });
      add("an event written to local storage by hand", median(steps.store), "ms");
      const trackMs = median(steps.track);
      add("an event tracked; to by hand", trackMs, "ms", {
        ratio: trackMs / median(steps.store),
        goal: `≤ ${eventMsGoal} ms`,
        ok: trackMs <= eventMsGoal,
      });
    } finally {
      await browser.close();
      await server.stop(true);
    }
  },
} satisfies Bench;

const names = {
  loadMs: "until it is loaded",
  scriptMs: "scripts until then",
  taskMs: "main thread until then",
};

interface Load {
  loadMs: number;
  scriptMs: number;
  taskMs: number;
}

function answer(request: Request): Response {
  const { pathname } = new URL(request.url);
  if (pathname === "/v1/events") return Response.json({}, { status: 202 });
  if (pathname === "/weir.js") {
    return new Response(beaconScript, { headers: { "content-type": "text/javascript" } });
  }
  const tag = pathname === "/beacon" ? '<script async src="/weir.js" data-key="k"></script>' : "";
  const rows = "<p>Some words of a page.</p>".repeat(200);
  return new Response(`<!doctype html><title>A page</title><link rel="icon" href="data:,">${tag}${rows}`, {
    headers: { "content-type": "text/html" },
  });
}

/** Loads a page in a profile of its own, so that nothing is there yet. */
async function load(browser: Browser, url: string): Promise<Load> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Performance.enable");
  await page.goto(url, { waitUntil: "load" });
  const { metrics } = await session.send("Performance.getMetrics");
  const of = (wanted: string): number => (metrics.find(({ name }) => name === wanted)?.value ?? 0) * 1_000;
  const loadMs = await page.evaluate(() => {
    const [entry] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
    return entry!.loadEventStart;
  });
  await context.close();
  return { loadMs, scriptMs: of("ScriptDuration"), taskMs: of("TaskDuration") };
}

/** Answers ms for one event. */
async function onPage(
  browser: Browser,
  base: URL,
  work: (page: Page, events: number) => Promise<number>,
): Promise<number> {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(new URL("/beacon", base).href);
  const ms = await work(page, eventsARound);
  await context.close();
  return ms / eventsARound;
}

const storeAlone = (page: Page, events: number): Promise<number> =>
  page.evaluate((count) => {
    const before = performance.now();
    for (let n = 0; n < count; n += 1) {
      const text = JSON.stringify({
        timestamp: Date.now(),
        type: "act",
        payload: { n, text: "x".repeat(350) },
      });
      localStorage.setItem(`event-${n}`, text);
    }
    return performance.now() - before;
  }, events);

const trackEvents = (page: Page, events: number): Promise<number> =>
  page.evaluate((count) => {
    const { weir } = globalThis as unknown as { weir(...command: unknown[]): void };
    const before = performance.now();
    for (let n = 0; n < count; n += 1) weir("track", "act", { n });
    return performance.now() - before;
  }, events);
