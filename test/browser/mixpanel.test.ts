// Mixpanel's browser client with nothing changed but its host, in a real browser.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openScene, type Scene } from "../edge/dialect/scene.ts";
import { until } from "../support/until.ts";
import { describeInBrowser, launch } from "./browser.ts";
import { bundled, openClientPage } from "./client-page.ts";

const soonMs = 60_000;

describeInBrowser("mixpanel-browser", () => {
  let browser: Browser;
  let script: string;
  beforeAll(async () => {
    [browser, script] = await Promise.all([launch(), bundled("mixpanel-browser/dist/mixpanel.module.js")]);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
  });

  const html = (scene: Scene, options: string): string => `<!doctype html><title>A shop</title>
    <script type="module">
      import mixpanel from "/mixpanel.js";
      mixpanel.init("${scene.writeKey}", {
        api_host: "${scene.url}", batch_flush_interval_ms: 200, ignore_dnt: true, opt_out_useragent_filter: true,
        track_pageview: false, autocapture: false, remote_settings_mode: "disabled", ${options}
      });
      globalThis.track = () => {
        mixpanel.track_pageview();
        mixpanel.track("looked");
        mixpanel.identify("ada");
        mixpanel.people.set({ plan: "pro" });
        mixpanel.get_group("team", "t1").set({ size: 3 });
        for (let n = 0; n < 10; n += 1) mixpanel.track("bought", { n, revenue: 2.5, currency: "EUR" });
      };
    </script>`;

  it.each<[string, string, Scene["faults"]]>([
    ["in batches", "", []],
    ["in batches, through faults", "", [{ status: 503 }, { status: 429 }, { status: 500 }]],
    ["one by one", "batch_requests: false", []],
    ["one by one, as JSON", 'batch_requests: false, api_payload_format: "json"', []],
    ["by GET", 'batch_requests: false, api_method: "GET"', []],
  ])(
    "sends every event %s, and each is stored once",
    async (_, options, faults) => {
      const scene = await openScene();
      scene.faults.push(...faults);
      const { page, strangers, close } = await openClientPage(browser, html(scene, options), {
        "/mixpanel.js": script,
      });
      await page.evaluate(() => (globalThis as unknown as { track(): void }).track());
      const of = (type: string) => scene.stored().filter((event) => event.type === type);
      const counts = (): string =>
        ["page_view", "looked", "group", "bought"].map((type) => of(type).length).join();
      await until(
        "every event is stored",
        soonMs,
        () => counts() === "1,1,1,10" && of("identify").length === 3,
      );
      const [link] = of("identify").filter(({ identity }) => identity === "event_id");
      // It sets once where a visitor came from, by itself.
      const profiles = of("identify").filter(({ identity }) => identity === "arrival");
      expect(of("page_view")).toMatchObject([{ userId: null, anonymousId: link!.anonymousId }]);
      expect(link).toMatchObject({ userId: "ada", anonymousId: expect.stringMatching(/^[0-9a-f-]{20,}$/) });
      expect(profiles.map(({ userId }) => userId)).toEqual(["ada", "ada"]);
      const said = profiles.map(({ payload }) => JSON.parse(payload) as object);
      expect(said).toContainEqual(expect.objectContaining({ plan: "pro" }));
      expect(of("group")).toMatchObject([{ aggregateId: "t1", payload: '{"size":3}' }]);
      expect(of("bought")[0]).toMatchObject({
        userId: "ada",
        revenue: "2.5",
        currency: "EUR",
        identity: "event_id",
      });
      expect([scene.refusals(), strangers]).toEqual([[], []]);
      await close();
      await scene.close();
    },
    120_000,
  );
});
