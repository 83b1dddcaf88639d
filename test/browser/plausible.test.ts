// Plausible's tracker with nothing changed but its endpoint, in a real browser.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openScene } from "../edge/dialect/scene.ts";
import { until } from "../support/until.ts";
import { describeInBrowser, launch } from "./browser.ts";
import { bundled, openClientPage } from "./client-page.ts";

const soonMs = 45_000;
const domain = "shop.example";

describeInBrowser("@plausible-analytics/tracker", () => {
  let browser: Browser;
  let script: string;
  beforeAll(async () => {
    [browser, script] = await Promise.all([launch(), bundled("@plausible-analytics/tracker/plausible.js")]);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
  });

  it("sends its page views, goals and engagement, each answered as it expects", async () => {
    const scene = await openScene([domain]);
    const html = `<!doctype html><title>A shop</title>
      <script>window.__plausible = true</script>
      <script type="module">
        import * as plausible from "/tracker.js";
        plausible.init({ domain: "${domain}", endpoint: "${scene.url}/api/event", captureOnLocalhost: true });
        globalThis.told = [];
        globalThis.track = (name, options) =>
          plausible.track(name, { ...options, callback: (answer) => globalThis.told.push(answer.status) });
        globalThis.leave = () => history.pushState({}, "", "/next");
      </script>`;
    const { page, strangers, close } = await openClientPage(browser, html, { "/tracker.js": script });
    await page.evaluate(() => {
      const { track } = globalThis as unknown as { track(name: string, options: object): void };
      for (let n = 0; n < 10; n += 1) {
        track("bought", { props: { n }, revenue: { amount: "2.50", currency: "EUR" } });
      }
    });
    await page.evaluate(() => (globalThis as unknown as { leave(): void }).leave());
    const count = (type: string): number => scene.stored().filter((event) => event.type === type).length;
    const counts = () => ["bought", "page_view", "engagement"].map(count).join();
    await until("every event is stored", soonMs, () => counts() === "10,2,1");
    const told = () => page.evaluate(() => (globalThis as unknown as { told: number[] }).told);
    await until("every goal is answered", soonMs, async () => (await told()).length === 10);
    expect(new Set(await told())).toEqual(new Set([202]));
    const bought = scene.stored().filter(({ type }) => type === "bought");
    expect(bought.map(({ payload }) => (JSON.parse(payload) as { n: number }).n).toSorted()).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7, 8, 9,
    ]);
    expect(bought[0]).toMatchObject({ revenue: "2.50", currency: "EUR", identity: "arrival" });
    expect([scene.refusals(), strangers]).toEqual([[], []]);
    await close();
    await scene.close();
  }, 90_000);
});
