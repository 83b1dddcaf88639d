// What the beacon tells of a page by itself, and what it does not tell of people who do not want it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { Embedded } from "../support/embedded.ts";
import { until } from "../support/until.ts";
import { openPipeline, openScene, type Scene, type SceneOptions, type Stored } from "./beacon-scene.ts";
import { describeInBrowser, launch } from "./browser.ts";

vi.setConfig({ maxConcurrency: 3 });

type Rows = Stored["all"];
const projects = Array.from({ length: 24 }, (_, at) => `p${at}`);

describeInBrowser("the beacon on a page", () => {
  let browser: Browser;
  let embedded: Embedded;
  const free = [...projects];
  beforeAll(async () => {
    // Pages are kept to come back to, as for people; tests usually do without.
    [browser, embedded] = await Promise.all([
      launch(["--disable-back-forward-cache"]),
      openPipeline(projects),
    ]);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await embedded?.close();
  }, 60_000);

  /** Runs on a site of its own, and answers everything that was stored. */
  async function visitSite(options: SceneOptions, act: (scene: Scene) => Promise<unknown>): Promise<Rows> {
    const scene = await openScene(browser, embedded, free.pop()!, options);
    try {
      await act(scene);
      await scene.settle();
      const stored = await scene.stored();
      expect(stored).toMatchObject({ gap: 0, quarantined: 0 });
      expect(scene.proxy.seen.map(({ method }) => method)).not.toContain("OPTIONS");
      expect(scene.proxy.seen.every(({ contentType }) => contentType === "text/plain")).toBe(true);
      return stored.all;
    } finally {
      await scene.close();
    }
  }

  const isView = ({ type, payload }: { type?: unknown; payload?: unknown }, path: string): boolean =>
    type === "page_view" && new URL(String((payload as Record<string, unknown>)["url"])).pathname === path;
  const weir = (page: Page, ...command: unknown[]): Promise<void> =>
    page.evaluate((given) => {
      (globalThis as unknown as { weir(...words: unknown[]): void }).weir(...given);
    }, command);

  // Each has a site, a proxy and a profile of its own; what is timed or kept by the browser runs alone.
  it.concurrent("views a page, and its routes, each once", async () => {
    const rows = await visitSite({}, async ({ open }) => {
      const page = await open("/start?a=1");
      await page.evaluate(async () => {
        history.pushState({}, "", "/list");
        document.title = "A list";
        await new Promise((resolve) => setTimeout(resolve, 20));
        history.replaceState({}, "", "/list");
        await new Promise((resolve) => setTimeout(resolve, 20));
        history.replaceState({}, "", "/list?sorted=1");
        await new Promise((resolve) => setTimeout(resolve, 20));
        location.hash = "end";
        await new Promise((resolve) => setTimeout(resolve, 20));
      });
      await page.goBack();
      await page.goBack();
      await page.waitForFunction(() => location.pathname === "/start");
      await weir(page, "track", "last");
    });
    const views = rows.filter(({ type }) => type === "page_view").map(({ payload }) => payload);
    expect(
      views.map(({ url, title }) => [new URL(String(url)).pathname + new URL(String(url)).search, title]),
    ).toEqual([
      ["/start?a=1", "A shop"],
      ["/list", "A list"],
      ["/list?sorted=1", "A list"],
      ["/start?a=1", "A list"],
    ]);
    expect(new URL(String(views[1]!["referrer"])).pathname).toBe("/start");
    expect(rows.every(({ context }) => context["webdriver"] === true)).toBe(true);
    expect(rows.every(({ context }) => context["browser"] === "Chrome")).toBe(true);
  });

  it.concurrent("takes another fragment for another page where told to, and no route where told to", async () => {
    const act = async ({ open }: Scene): Promise<void> => {
      const page = await open("/");
      await page.evaluate(async () => {
        location.hash = "a";
        await new Promise((resolve) => setTimeout(resolve, 50));
        history.pushState({}, "", "/b");
        await new Promise((resolve) => setTimeout(resolve, 50));
      });
    };
    const views = async (attributes: string): Promise<number> =>
      (await visitSite({ attributes }, act)).filter(({ type }) => type === "page_view").length;
    expect(await views('data-spa="hash"')).toBe(3);
    expect(await views('data-spa="off"')).toBe(1);
    expect(await views('data-auto="off"')).toBe(0);
  });

  it("views a page again that the browser had kept", async () => {
    // The page tells by itself: a driver that asks it while it comes back may never be answered.
    const head = `<script>addEventListener("pageshow",(event)=>event.persisted&&weir("track","kept"))</script>`;
    const rows = await visitSite({ head }, async ({ open, site, proxy }) => {
      const page = await open("/kept");
      await page.goto(`${site}/other`);
      await page.evaluate(() => {
        setTimeout(() => history.back());
      });
      const told = (): unknown[] => proxy.seen.flatMap(({ events }) => events.map(({ type }) => type));
      await until("it is back and told so", 20_000, () => told().includes("kept"));
      await page.close();
      await open("/end");
    });
    expect(rows.filter((row) => isView(row, "/kept"))).toHaveLength(2);
    expect(rows.filter(({ type }) => type === "kept")).toHaveLength(1);
    // It goes on with its own stream.
    expect(new Set(rows.map(({ stream_id }) => stream_id)).size).toBe(3);
  });

  it("measures the time a page is looked at", async () => {
    const rows = await visitSite({}, async ({ open, site }) => {
      const page = await open("/read");
      await page.waitForTimeout(600);
      await page.evaluate(() => {
        Object.defineProperty(document, "hasFocus", { value: () => false, configurable: true });
        dispatchEvent(new Event("blur"));
      });
      await page.waitForTimeout(1_500);
      await page.goto(`${site}/next`);
    });
    const [engagement, ...rest] = rows.filter(({ type }) => type === "engagement");
    expect(rest).toEqual([]);
    expect(engagement!.payload["path"]).toBe("/read");
    expect(engagement!.payload["engaged_ms"]).toBeGreaterThanOrEqual(500);
    expect(engagement!.payload["engaged_ms"]).toBeLessThan(1_500);
  });

  it.concurrent("tells marked clicks with what they are marked with, and no others", async () => {
    const body = `<p id="plain">text</p><button data-weir-click="signup" data-weir-plan="pro"><b>Go</b></button>
      <a id="leave" href="/away" data-weir-click="left">away</a>`;
    const rows = await visitSite({ body }, async ({ open }) => {
      const page = await open("/");
      await page.click("#plain");
      await page.click("b");
      await page.click("#leave");
      await page.waitForURL("**/away");
    });
    const clicks = rows.filter(({ type }) => ["signup", "left", "click"].includes(type));
    expect(clicks.map(({ type, payload }) => [type, payload])).toEqual([
      ["signup", { plan: "pro" }],
      ["left", {}],
    ]);
  });

  it.concurrent("does what the page asked for before it was loaded, in its order", async () => {
    const head =
      "<script>weir('identify','u-1',{plan:'pro'});weir('track','early',{n:1},{shelf:'a'})</script>";
    const rows = await visitSite({ head }, async ({ open }) => {
      await open("/");
    });
    expect(rows.map(({ type, user_id }) => [type, user_id])).toEqual([
      ["identify", "u-1"],
      ["early", "u-1"],
      ["page_view", "u-1"],
    ]);
    expect(rows[0]!.payload).toEqual({ plan: "pro" });
    expect(rows[1]!.context["shelf"]).toBe("a");
  });

  it.concurrent("begins by a command where the tag has no key, and once", async () => {
    const rows = await visitSite({}, async ({ open, proxy, site }) => {
      const page = await open("/");
      await weir(page, "init", { key: "wk_other", host: "http://127.0.0.1:1" });
      await page.addScriptTag({ url: `${proxy.url}/weir.js` });
      await weir(page, "track", "once");
      await page.goto(`${site}/`);
    });
    expect(rows.filter(({ type }) => type === "page_view")).toHaveLength(2);
    expect(rows.filter(({ type }) => type === "once")).toHaveLength(1);
  });

  it.concurrent("keeps one visitor and session over pages and tabs, until 30 minutes pass, or a reset", async () => {
    const rows = await visitSite({ attributes: 'data-auto="off"' }, async ({ open }) => {
      const [left, right] = [await open("/a"), await open("/b")];
      await weir(left, "track", "one");
      await weir(right, "track", "two");
      const later = (page: Page, minutes: number): Promise<void> =>
        page.evaluate((ms) => {
          const now = Date.now;
          Date.now = () => now() + ms;
        }, minutes * 60_000);
      await later(left, 20);
      await weir(left, "track", "three");
      // What another tab did keeps the session alive.
      await later(right, 35);
      await weir(right, "track", "four");
      await later(right, 31);
      await weir(right, "track", "five");
      await weir(right, "reset");
      await weir(right, "track", "six");
    });
    const of = (wanted: string) => rows.find(({ type }) => type === wanted)!;
    const names = ["one", "two", "three", "four"];
    expect(new Set(names.map((name) => of(name).session_id)).size).toBe(1);
    expect(of("five").session_id).not.toBe(of("one").session_id);
    expect(new Set([...names, "five"].map((name) => of(name).anonymous_id)).size).toBe(1);
    expect(of("six").anonymous_id).not.toBe(of("five").anonymous_id);
    expect(of("six").session_id).not.toBe(of("five").session_id);
  });

  it.concurrent("tells where a session came from with every event of it", async () => {
    const rows = await visitSite({}, async ({ open, context }) => {
      const page = await open("/land?utm_source=news&utm_medium=mail&secret=1");
      await page.goto(`${new URL(page.url()).origin}/buy`);
      await page.waitForFunction(() => "weir" in globalThis);
      await weir(page, "track", "purchase");
      await context.setExtraHTTPHeaders({});
    });
    const bought = rows.find(({ type }) => type === "purchase")!;
    expect(bought.context).toMatchObject({ utm_source: "news", utm_medium: "mail", path: "/buy" });
    expect(bought.context["secret"]).toBeUndefined();
  });

  it.concurrent("records nothing and keeps nothing where the browser says so, unless told otherwise", async () => {
    const head = "<script>Object.defineProperty(navigator,'globalPrivacyControl',{value:true})</script>";
    const names = (page: Page): Promise<string[]> => page.evaluate(() => Object.keys(localStorage));
    const silent = await visitSite({ head }, async ({ open, proxy }) => {
      const page = await open("/");
      await weir(page, "track", "act");
      await page.reload();
      expect(await names(page)).toEqual([]);
      expect(proxy.seen).toEqual([]);
    });
    expect(silent).toEqual([]);
    const told = await visitSite({ head, attributes: 'data-gpc="off"' }, async ({ open }) => {
      await open("/");
    });
    expect(told.map(({ type }) => type)).toEqual(["page_view"]);
    const chosen = await visitSite({ head }, async ({ open }) => {
      await weir(await open("/"), "opt_in");
    });
    expect(chosen.map(({ type, context }) => [type, context["consent"]])).toEqual([["page_view", "granted"]]);
  });

  it.concurrent("waits for consent where it is required, and views the page when it is given", async () => {
    const rows = await visitSite({ attributes: 'data-consent="required"' }, async ({ open, site, proxy }) => {
      const page = await open("/");
      await weir(page, "track", "before");
      expect(await page.evaluate(() => Object.keys(localStorage))).toEqual([]);
      expect(proxy.seen).toEqual([]);
      await weir(page, "consent", "opt_in");
      await weir(page, "track", "after");
      await page.goto(`${site}/more`);
    });
    const types = rows.map(({ type }) => type);
    expect(types).not.toContain("before");
    expect(types.filter((type) => type === "page_view")).toHaveLength(2);
    expect(types).toContain("after");
  });

  it.concurrent("records nothing after opt_out, forgets who it was, and still delivers what was before", async () => {
    const rows = await visitSite({}, async ({ open, proxy, site }) => {
      proxy.fault = { kind: "status", status: 503 };
      const page = await open("/");
      await weir(page, "identify", "u-1");
      await weir(page, "opt_out");
      await weir(page, "track", "after");
      expect(
        await page.evaluate(() => Object.keys(localStorage).filter((name) => name.endsWith("visitor"))),
      ).toEqual([]);
      await page.goto(`${site}/more`);
      await page.waitForFunction(() => "weir" in globalThis);
      await weir(page, "track", "later");
      proxy.fault = { kind: "pass" };
    });
    expect(rows.map(({ type }) => type)).toEqual(["page_view", "identify"]);
  });

  it.concurrent("tells the page's version, and a stranger that leads to it", async () => {
    const rows = await visitSite({ attributes: 'data-version="2.1.0"' }, async (scene) => {
      const page = await scene.context.newPage();
      await page.route("http://elsewhere.test/**", (route) =>
        route.fulfill({ contentType: "text/html", body: `<a href="${scene.site}/">there</a>` }),
      );
      await page.goto("http://elsewhere.test/");
      await page.click("a");
      await until("the page view is sent", 20_000, () => scene.proxy.seen.length > 0);
    });
    expect(rows[0]!.context).toMatchObject({ app_version: "2.1.0", referrer: "http://elsewhere.test/" });
  });

  it.concurrent("runs the example as it stands", async () => {
    const example = readFileSync(join(import.meta.dirname, "../../edge/examples/beacon.html"), "utf8");
    const page = (host: string, key: string): string =>
      example.replace("http://127.0.0.1:8787", host).replace("YOUR_WRITE_KEY", key);
    const rows = await visitSite({ page }, async ({ open }) => {
      const shop = await open("/");
      await shop.click("[data-weir-click]");
      for (const id of ["buy", "sign-in", "route"]) await shop.click(`#${id}`);
      await shop.waitForTimeout(50);
      await shop.click("#opt-out");
      await shop.click("#buy");
    });
    // Whether time is told at the change of route depends on how long all this took.
    const told = rows.filter(({ type }) => type !== "engagement");
    expect(
      told.map(({ type, user_id, payload }) => [type, user_id, payload["plan"] ?? payload["revenue"]]),
    ).toEqual([
      ["page_view", null, undefined],
      ["plan_chosen", null, "pro"],
      ["purchase", null, "19.90"],
      ["identify", "user-42", "pro"],
      ["page_view", "user-42", undefined],
    ]);
    expect(rows[0]!.context["app_version"]).toBe("1.0.0");
  });
});
