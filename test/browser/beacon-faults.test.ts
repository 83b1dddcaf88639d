// The beacon under every failure a page meets: what was tracked is in the table, once.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Embedded } from "../support/embedded.ts";
import { openPipeline, openScene, type Scene, trackActs } from "./beacon-scene.ts";
import { describeInBrowser, launch } from "./browser.ts";

interface Scenario {
  name: string;
  events: number;
  run(scene: Scene): Promise<void>;
}

const scenarios: readonly Scenario[] = [
  {
    name: "leave at once",
    events: 10,
    async run(scene) {
      const page = await scene.open();
      await trackActs(page, 10);
      await page.goto(`${scene.site}/other`);
    },
  },
];

describeInBrowser("the beacon under failures", () => {
  let browser: Browser;
  let embedded: Embedded;
  const table: string[] = [];
  beforeAll(async () => {
    [browser, embedded] = await Promise.all([launch(), openPipeline(scenarios.map(({ name }) => name))]);
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

  it.each(scenarios)(
    "loses nothing and stores nothing twice: $name",
    async ({ name, events, run }) => {
      const scene = await openScene(browser, embedded, name);
      try {
        await run(scene);
        await scene.settle();
        const stored = await scene.stored();
        const lost = events - stored.numbers.length;
        const copies = scene.proxy.passed() - stored.seen;
        table.push(
          `| ${name} | ${events} | ${scene.proxy.seen.length} | ${copies} | ${stored.rows} | ${lost} | ${stored.gap} | ${stored.declaredLost} |`,
        );
        expect(stored.numbers).toEqual(Array.from({ length: events }, (_, n) => n));
        expect(stored).toMatchObject({ rows: events, gap: 0, declaredLost: 0, quarantined: 0 });
        expect(stored.seen).toBe(stored.expected);
        expect(scene.proxy.seen.map(({ method }) => method)).not.toContain("OPTIONS");
      } finally {
        await scene.close();
      }
    },
    90_000,
  );
});
