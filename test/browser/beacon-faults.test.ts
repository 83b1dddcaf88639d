// The beacon under every failure a page meets: what was tracked is in the table, once.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { flag } from "../../shared/event/event.ts";
import type { Embedded } from "../support/embedded.ts";
import { until } from "../support/until.ts";
import type { Fault, FaultProxy } from "./beacon-proxy.ts";
import {
  openPipeline,
  openScene,
  type Scene,
  type Stored,
  setVisibility,
  trackActs,
} from "./beacon-scene.ts";
import { describeInBrowser, launch } from "./browser.ts";

vi.setConfig({ maxConcurrency: 3 });

interface Scenario {
  name: string;
  events: number;
  /** More than a queue holds is tracked: what is lost is to be declared, and nothing else to be lost. */
  isForced?: boolean;
  attributes?: string;
  run(scene: Scene): Promise<void>;
  /** What the store is to say besides. */
  check?(stored: Stored): void;
}

const refused = (status: number, headers: Record<string, string> = {}): Fault => ({
  kind: "status",
  status,
  headers,
});
const pass: Fault = { kind: "pass" };

const scenarios: readonly Scenario[] = [
  {
    name: "leave at once",
    events: 10,
    async run({ open, site }) {
      const page = await open();
      await trackActs(page, 10);
      await page.goto(`${site}/other`);
    },
  },
  {
    name: "tab crashes, visitor returns",
    events: 10,
    async run({ open, context, proxy }) {
      const page = await open();
      await until("the page view is under way", 5_000, () => proxy.seen.length > 0);
      // However slow the machine, nothing arrives before the crash.
      proxy.fault = refused(503);
      await trackActs(page, 10);
      const session = await context.newCDPSession(page);
      const crashed = new Promise((resolve) => page.once("crash", resolve));
      await Promise.race([session.send("Page.crash").catch(() => {}), crashed]);
      await crashed;
      await page.close();
      expect(actsIn(proxy)).toBe(0);
      proxy.fault = pass;
      await open();
    },
  },
  {
    name: "503 for 3 s",
    events: 10,
    async run({ open, proxy }) {
      proxy.fault = refused(503);
      const page = await open();
      await trackActs(page, 10);
      await until("it was refused for 3 s", 20_000, () => lastedMs(proxy) > 3_000);
      proxy.fault = pass;
    },
  },
  {
    name: "503, then one more event",
    events: 11,
    async run({ open, proxy }) {
      proxy.fault = refused(503);
      const page = await open();
      await trackActs(page, 10);
      await until("it was refused for 3 s", 20_000, () => lastedMs(proxy) > 3_000);
      proxy.fault = pass;
      await trackActs(page, 1, 10);
    },
  },
  {
    name: "429 with Retry-After",
    events: 10,
    async run({ open, proxy }) {
      proxy.fault = refused(429, { "retry-after": "2" });
      const page = await open();
      await trackActs(page, 10);
      await until("it was refused twice", 20_000, () => proxy.seen.length >= 2);
      proxy.fault = pass;
      await until("it came once more", 20_000, () => proxy.seen.length >= 3);
      for (const [at, { at: ms }] of proxy.seen.entries()) {
        if (at > 0) expect(ms - proxy.seen[at - 1]!.at).toBeGreaterThanOrEqual(1_990);
      }
    },
  },
  {
    name: "stored, but the answer is lost",
    events: 10,
    async run({ open, proxy }) {
      proxy.fault = { kind: "cut" };
      const page = await open();
      await trackActs(page, 10);
      const isLost = () => lastedMs(proxy) > 3_000 && proxy.passed() > 10;
      await until("answers were lost for 3 s, and the acts' too", 20_000, isLost);
      proxy.fault = pass;
    },
  },
  {
    name: "server down, leave, return",
    events: 10,
    async run({ open, proxy, site }) {
      const page = await open();
      await proxy.down();
      await trackActs(page, 10);
      await page.goto("about:blank");
      await proxy.up();
      await page.goto(`${site}/back`);
    },
  },
  {
    name: "the same and one more event",
    events: 11,
    async run({ open, proxy, site }) {
      const page = await open();
      await proxy.down();
      await trackActs(page, 10);
      await page.goto("about:blank");
      await proxy.up();
      await page.goto(`${site}/back`);
      await trackActs(page, 1, 10);
    },
  },
  {
    name: "hide and show",
    events: 20,
    async run({ open, proxy }) {
      const page = await open();
      await trackActs(page, 10);
      await setVisibility(page, "hidden");
      await until("what was tracked was sent", 5_000, () => actsIn(proxy) > 0);
      await setVisibility(page, "visible");
      await trackActs(page, 10, 10);
      await setVisibility(page, "hidden");
      await until("the rest was sent", 5_000, () => actsIn(proxy) >= 20);
      // With an edge that answers, hiding copies nothing.
      expect(actsIn(proxy)).toBe(20);
      await setVisibility(page, "visible");
    },
  },
  {
    name: "two tabs with 503",
    events: 24,
    async run({ open, proxy }) {
      proxy.fault = refused(503);
      const [left, right] = [await open(), await open("/other")];
      await Promise.all([trackActs(left, 12), trackActs(right, 12, 12)]);
      await until("it was refused for 4 s", 20_000, () => lastedMs(proxy) > 4_000);
      proxy.fault = pass;
    },
  },
  {
    name: "one of two tabs crashes",
    events: 20,
    async run({ open, proxy, context }) {
      proxy.fault = refused(503, { "retry-after": "1" });
      const [left, right] = [await open(), await open("/other")];
      await Promise.all([trackActs(left, 10), trackActs(right, 10, 10)]);
      const session = await context.newCDPSession(left);
      const crashed = new Promise((resolve) => left.once("crash", resolve));
      await Promise.race([session.send("Page.crash").catch(() => {}), crashed]);
      await crashed;
      await left.close();
      proxy.fault = pass;
      // The other tab takes the queue over when it is looked at again.
      await setVisibility(right, "hidden");
      await setVisibility(right, "visible");
    },
  },
  {
    name: "offline and online",
    events: 20,
    async run({ open, context, proxy }) {
      const page = await open();
      await until("the page view is under way", 5_000, () => proxy.seen.length > 0);
      await context.setOffline(true);
      await trackActs(page, 10);
      await page.waitForTimeout(2_500);
      await context.setOffline(false);
      const before = Date.now();
      await until("it was sent at once", 5_000, () => actsIn(proxy) >= 10);
      expect(Date.now() - before).toBeLessThan(3_000);
      await trackActs(page, 10, 10);
    },
  },
  {
    name: "clock jumps 1 h forth and back",
    events: 40,
    async run({ open, proxy }) {
      proxy.fault = refused(503);
      const page = await open();
      await setClock(page, hourMs);
      await trackActs(page, 10);
      await setClock(page, 0);
      await trackActs(page, 10, 10);
      proxy.fault = pass;
      await until("it arrived", 20_000, () => actsIn(proxy) >= 20);
      await setClock(page, -hourMs);
      await trackActs(page, 10, 20);
      await until("it arrived", 20_000, () => actsIn(proxy) >= 30);
      await setClock(page, 0);
      await trackActs(page, 10, 30);
    },
    check({ all }) {
      // Only those ahead of the clock that sent them are moved to when they happened.
      const ahead = all.filter(({ type, payload }) => type === "act" && Number(payload["n"]) < 10);
      expect(ahead.every(({ flags }) => (flags & flag.moved) !== 0)).toBe(true);
      expect(all.filter(({ flags }) => (flags & flag.moved) !== 0)).toHaveLength(10);
      for (const { event_ms } of ahead) expect(Math.abs(event_ms - Date.now())).toBeLessThan(5 * 60_000);
    },
  },
  {
    name: "storage full",
    events: 20,
    async run({ open, proxy }) {
      proxy.fault = refused(503);
      const page = await open();
      await trackActs(page, 10);
      await page.evaluate(() => {
        for (let length = 1 << 20; length >= 1; length >>= 1) {
          try {
            for (let at = 0; ; at += 1) localStorage.setItem(`full-${length}-${at}`, "x".repeat(length));
          } catch {}
        }
      });
      await trackActs(page, 10, 10);
      proxy.fault = pass;
      await until("it arrived", 20_000, () => actsIn(proxy) >= 20);
    },
  },
  {
    name: "more than a queue holds",
    events: 40,
    isForced: true,
    attributes: 'data-auto="off"',
    async run({ open, proxy }) {
      proxy.fault = refused(503);
      const page = await open();
      // Forty times 50,000 characters are twice what a queue holds.
      await page.evaluate(() => {
        const { weir } = globalThis as unknown as { weir(...command: unknown[]): void };
        for (let n = 0; n < 40; n += 1) weir("track", "act", { n, text: "x".repeat(50_000) });
      });
      proxy.fault = pass;
    },
  },
];

const projectOf = ({ name }: { name: string }): string => name.replaceAll(/\W+/g, "-");
const hourMs = 3_600_000;

/** From the first request that failed to the last. */
function lastedMs({ seen }: FaultProxy): number {
  return seen.length === 0 ? 0 : seen.at(-1)!.at - seen[0]!.at;
}

const actsIn = ({ seen }: FaultProxy): number =>
  seen
    .filter(({ status }) => status === 202)
    .flatMap(({ events }) => events)
    .filter(({ type }) => type === "act").length;

const setClock = (page: Page, jumpMs: number): Promise<void> =>
  page.evaluate((ms) => {
    const scope = globalThis as { realNow?: () => number };
    scope.realNow ??= Date.now;
    const { realNow } = scope;
    Date.now = () => realNow() + ms;
  }, jumpMs);

describeInBrowser("the beacon under failures", () => {
  let browser: Browser;
  let embedded: Embedded;
  const table: string[] = [];
  beforeAll(async () => {
    [browser, embedded] = await Promise.all([launch(), openPipeline(scenarios.map(projectOf))]);
  }, 120_000);
  afterAll(async () => {
    console.log(
      ["", "| scenario | events | requests | copies | stored | lost | gaps | declared |", ...table].join(
        "\n",
      ),
    );
    await browser?.close();
    await embedded?.close();
  }, 60_000);

  // Each has a site, a proxy and a profile of its own, and mostly waits.
  it.concurrent.each(scenarios)(
    "loses nothing and stores nothing twice: $name",
    async ({ name, events, isForced, attributes = "", run, check }) => {
      const scene = await openScene(browser, embedded, projectOf({ name }), { attributes });
      try {
        await run(scene);
        await scene.settle();
        const stored = await scene.stored();
        const lost = events - stored.numbers.length;
        const copies = scene.proxy.passed() - stored.seen;
        const figures = [
          events,
          scene.proxy.seen.length,
          copies,
          stored.rows,
          lost,
          stored.gap,
          stored.declaredLost,
        ];
        table.push(`| ${name} | ${figures.join(" | ")} |`);
        expect(stored.rows).toBe(stored.numbers.length);
        expect(stored).toMatchObject({ gap: 0, quarantined: 0 });
        expect(stored.seen).toBe(stored.expected - stored.declaredLost);
        if (isForced) {
          // The first tracked are given up, but for what was under way.
          expect(stored.numbers.slice(-15)).toEqual(Array.from({ length: 15 }, (_, at) => events - 15 + at));
          expect(lost).toBeGreaterThan(10);
          expect(stored.declaredLost).toBe(lost);
        } else {
          expect(stored.numbers).toEqual(Array.from({ length: events }, (_, n) => n));
          expect(stored.declaredLost).toBe(0);
        }
        await check?.(stored);
        expect(scene.proxy.seen.map(({ method }) => method)).not.toContain("OPTIONS");
      } finally {
        await scene.close();
      }
    },
    90_000,
  );
});
