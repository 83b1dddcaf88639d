// PostHog's browser client, current and of a site that was built long ago, with nothing changed but its host.
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { openScene, type Scene } from "../edge/dialect/scene.ts";
import { startEmbedded } from "../support/embedded.ts";
import { until } from "../support/until.ts";
import { describeInBrowser, launch } from "./browser.ts";
import { example, openClientPage } from "./client-page.ts";

vi.setConfig({ maxConcurrency: 3 });

const soonMs = 45_000;
const host = "http://127.0.0.1:8787";
const clients = ["posthog-js", "posthog-js-1209"] as const;

const scriptOf = async (client: string): Promise<Record<string, string>> => {
  const path = join(import.meta.dirname, "../../node_modules", client, "dist/array.full.no-external.js");
  return { "/posthog.js": await Bun.file(path).text() };
};
// The client says nothing where it takes its browser for a robot's, as this one is.
const asVisitor = (options: string): string => `{ ${options}, opt_out_useragent_filter: true }`;

describeInBrowser("posthog-js", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
  });

  // Each has an edge and a page of its own, and mostly waits for the client's own pauses.
  it.concurrent("runs the example page over the whole pipeline, and its visitor is linked to its user", async () => {
    const weir = await startEmbedded(["shop"]);
    const html = (await example("posthog.html"))
      .replace(/\{ (api_host: .*?) \}/, (_, options: string) => asVisitor(options))
      .replace(host, weir.edge.url)
      .replace("WRITE_KEY", weir.keyOf("shop"));
    const { page, strangers, close } = await openClientPage(browser, html, await scriptOf("posthog-js"));
    await page.click("#sign-up");
    for (let at = 0; at < 7; at += 1) await page.click("#buy");
    const ours = ["page_view", "identify", "signed_up", "purchase"];
    const rows = () => weir.store.sql`select * from events where type = any(${ours}) order by event_time`;
    await until("ten events are stored", soonMs, async () => (await rows()).length === 10);
    const stored = await rows();
    expect(ours.map((type) => stored.filter((row) => row["type"] === type).length)).toEqual([1, 1, 1, 7]);
    const view = stored.find(({ type }) => type === "page_view")!;
    const identified = stored.find(({ type }) => type === "identify")!;
    expect(view).toMatchObject({ user_id: null, context: { source_type: "$pageview", $lib: "web" } });
    expect(identified).toMatchObject({
      user_id: "ada",
      anonymous_id: view["anonymous_id"],
      payload: { plan: "pro" },
    });
    expect(stored.at(-1)).toMatchObject({ user_id: "ada", payload: { revenue: 9.5, currency: "EUR" } });
    expect(strangers).toEqual([]);
    const users = async (which: string): Promise<number> => {
      const path = `/v1/active-users?interval=day&users=${which}`;
      const { data } = (await (await fetch(weir.aggregatorUrl + path)).json()) as {
        data: { active_users: number }[];
      };
      return data.at(-1)?.active_users ?? 0;
    };
    await until("the visitor and the user are one", soonMs, async () => (await users("linked")) === 1);
    expect(await users("all")).toBe(2);
    await until("the ledger has all of it", soonMs, async () => (await weir.reconcile()).in_flight === 0);
    expect(await weir.store.sql`select 1 from quarantine`).toHaveLength(0);
    await close();
    await weir.close();
  }, 90_000);

  const faulty: Scene["faults"] = [{ status: 503 }, "cut", { status: 503, headers: { "retry-after": "1" } }];
  it.concurrent.each(
    clients.flatMap((client): [string, string, Scene["faults"]][] => [
      [client, "at once", []],
      [client, "through 503 and a lost answer", faulty],
    ]),
  )(
    "%s delivers every event once, %s",
    async (client, _, faults) => {
      const scene = await openScene();
      const options = asVisitor(
        `api_host: "${scene.url}", person_profiles: "always", autocapture: false, advanced_disable_feature_flags: true`,
      );
      const html = `<!doctype html><title>A shop</title><script src="/posthog.js"></script><script>
      posthog.init("${scene.writeKey}", Object.assign(${options}, { loaded: () => { window.isReady = true } }));
    </script>`;
      const { page, strangers, close } = await openClientPage(browser, html, await scriptOf(client));
      await page.waitForFunction("window.isReady");
      await until("the page's view is stored", soonMs, () => scene.stored().length === 1);
      scene.faults.push(...faults);
      await page.evaluate(`(() => {
      for (let n = 0; n < 5; n += 1) posthog.capture("before", { n });
      posthog.identify("ada", { plan: "pro" }, { first: "yes" });
      posthog.group("company", "acme", { seats: 3 });
      posthog.alias("ada@work");
      for (let n = 0; n < 5; n += 1) posthog.capture("after", { n });
    })()`);
      await until(
        "every event is stored",
        soonMs,
        () => scene.stored().length >= 14 && scene.faults.length === 0,
      );
      if (faults.includes("cut")) {
        await until("a copy of what was lost came", soonMs, () => scene.received() > 14);
      }
      const stored = scene.stored();
      const count = (type: string): number => stored.filter((event) => event.type === type).length;
      const types = ["page_view", "before", "identify", "group", "alias", "after"];
      expect([...types.map(count), stored.length]).toEqual([1, 5, 1, 1, 1, 5, 14]);
      expect(stored.every(({ identity, clientTime }) => identity === "event_id" && clientTime !== null)).toBe(
        true,
      );
      const [view, before, after] = ["page_view", "before", "after"].map(
        (type) => stored.find((event) => event.type === type)!,
      );
      expect([view!.userId, before!.userId, after!.userId]).toEqual([null, null, "ada"]);
      expect(new Set([view!.anonymousId, before!.anonymousId, after!.anonymousId]).size).toBe(1);
      expect(stored.find(({ type }) => type === "alias")).toMatchObject({
        userId: "ada",
        anonymousId: "ada@work",
      });
      expect(scene.refusals()).toEqual([]);
      expect(strangers).toEqual([]);
      await close();
      await scene.close();
    },
    90_000,
  );
});
