// Every page of the dashboard is held to axe's rules, light and dark, wide and narrow, filled and empty.
import axe, { type AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pageFiles } from "../../aggregator/dashboard/site.ts";
import { giveAlerts } from "../aggregator/alert/given-alerts.ts";
import { describeInBrowser } from "./browser.ts";
import { type DashboardScene, openDashboardScene, soon } from "./dashboard-scene.ts";

const paths = pageFiles.map(({ name, path }) => [
  path,
  {
    retention: "?interval=week",
    funnel: "?steps=signup,purchase&breakdown=country",
    paths: "?entry=any&steps=6",
  }[name] ?? "",
]);

describeInBrowser("the dashboard's accessibility", () => {
  let scene: DashboardScene;
  let page: Page;
  beforeAll(async () => {
    scene = await openDashboardScene();
    page = await scene.open("/");
  }, 120_000);
  afterAll(() => scene?.close());

  /** Loads a page anew in the one tab, light and wide; a tab for each would take longer than what is judged. */
  async function load(path: string): Promise<void> {
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize({ width: 1280, height: 720 });
    await page.goto(new URL(path, page.url()).href);
    await settle();
  }

  /** Faults as lines to read; the page's own policy lets no script in, so axe comes by the debugger. */
  async function judge(): Promise<string[]> {
    await page.evaluate(axe.source);
    const found = (await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")) as AxeResults;
    return found.violations.flatMap(({ id, help, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${help}\n${html.slice(0, 200)}\n${failureSummary}`),
    );
  }

  const settle = (): Promise<void> =>
    expect
      .poll(() => page.locator("[aria-busy=true]:visible, #status[data-state=loading]").count(), soon)
      .toBe(0);

  it.each(paths)("finds no fault on an empty store: %s", async (path) => {
    await load(path!);
    expect(await judge()).toEqual([]);
  });

  describe("with events", () => {
    beforeAll(async () => {
      const day = (number: number): string => new Date(Date.now() - number * 86_400_000).toISOString();
      const events = Array.from({ length: 90 }, (_, number) => ({
        at: day(number % 45),
        type: ["signup", "purchase", "page_view"][number % 3]!,
        user: `user ${number % 9}`,
        country: number % 2 === 0 ? "Iceland" : "Chile",
        ...(number % 3 === 1 ? { revenue: "9.50", currency: number % 2 === 0 ? "EUR" : "USD" } : {}),
      }));
      await scene.filled.addEvents(events);
      await giveAlerts(scene.filled.store);
    });

    it.each(paths)("finds no fault, light or dark, wide or narrow: %s", async (path, query) => {
      await load(`${path}${query}`);
      for (const summary of await page.locator("#main summary").all()) await summary.click();
      expect(await judge()).toEqual([]);
      await page.emulateMedia({ colorScheme: "dark" });
      await page.setViewportSize({ width: 390, height: 800 });
      expect(await judge()).toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    });
  });
});
