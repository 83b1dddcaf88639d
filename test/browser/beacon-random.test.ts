// Tabs that come, go and crash in any order before an edge that fails in any way: each event is stored once.
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { manualClock } from "../support/clock.ts";
import type { Embedded } from "../support/embedded.ts";
import { until } from "../support/until.ts";
import type { Fault } from "./beacon-proxy.ts";
import { openPipeline, openScene, setVisibility, trackActs } from "./beacon-scene.ts";
import { describeInBrowser, launch } from "./browser.ts";

const seeds = process.env["WEIR_TEST_LONG"] === "1" ? [1, 2, 3, 4, 5, 6, 7, 8] : [1];
const steps = 25;
const tabsMax = 3;
const faults: readonly Fault[] = [
  { kind: "pass" },
  { kind: "pass" },
  { kind: "status", status: 503 },
  { kind: "status", status: 429, headers: { "retry-after": "1" } },
  { kind: "status", status: 500 },
  { kind: "cut" },
];

describeInBrowser("the beacon under anything", () => {
  let browser: Browser;
  let embedded: Embedded;
  beforeAll(async () => {
    [browser, embedded] = await Promise.all([launch(), openPipeline(seeds.map((seed) => `r${seed}`))]);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await embedded?.close();
  }, 60_000);

  // Run one alone with: vitest run test/browser/beacon-random.test.ts -t "seed 1"
  it.each(seeds)(
    "loses nothing and stores nothing twice, seed %i",
    async (seed) => {
      const clock = manualClock(0, seed);
      const below = (bound: number): number => clock.random(1)[0]! % bound;
      const scene = await openScene(browser, embedded, `r${seed}`);
      const { proxy, context, site } = scene;
      const tabs: Page[] = [];
      let tracked = 0;
      try {
        for (let step = 0; step < steps; step += 1) {
          proxy.fault = faults[below(faults.length)]!;
          if (tabs.length === 0 || (tabs.length < tabsMax && below(4) === 0))
            tabs.push(await scene.open(`/${step}`));
          const at = below(tabs.length);
          const tab = tabs[at]!;
          const count = 1 + below(12);
          await trackActs(tab, count, tracked);
          tracked += count;
          const move = below(8);
          if (move === 0) await tab.goto(`${site}/${step}`);
          if (move === 1) await setVisibility(tab, "hidden");
          if (move === 2) await setVisibility(tab, "visible");
          if (move === 3) await crash(tab);
          if (move === 3 || move === 4) {
            await tab.close();
            tabs.splice(at, 1);
          }
          if (move === 5) await context.setOffline(below(2) === 0);
          if (move >= 6) await new Promise((resolve) => setTimeout(resolve, below(4) * 300));
          // A page that cannot be loaded is not the beacon's to prove.
          await context.setOffline(false);
        }
        proxy.fault = { kind: "pass" };
        await scene.open("/last");
        await until("nothing waits", 60_000, () => scene.settle(undefined, 60_000).then(() => true));
        const stored = await scene.stored();
        console.log(
          `seed ${seed}: ${tracked} tracked, ${stored.rows} stored, ${proxy.passed()} received, ${proxy.seen.length} requests`,
        );
        expect(stored.numbers).toEqual(Array.from({ length: tracked }, (_, n) => n));
        expect(stored).toMatchObject({ rows: tracked, gap: 0, declaredLost: 0, quarantined: 0 });
      } finally {
        await scene.close();
      }
    },
    150_000,
  );

  async function crash(page: Page): Promise<void> {
    const session = await page.context().newCDPSession(page);
    const crashed = new Promise((resolve) => page.once("crash", resolve));
    await Promise.race([session.send("Page.crash").catch(() => {}), crashed]);
    await crashed;
  }
});
