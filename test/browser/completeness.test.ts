// The page of completeness in a real browser, over the real API and an embedded store.
// biome-ignore-all lint/performance/useDomNodeTextContent: what a person sees is the text as it is laid out
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { createApi } from "../../aggregator/api/app.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { systemClock } from "../../shared/clock.ts";
import { memoryLog } from "../../shared/log/memory.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { recordOf, type Sketch } from "../aggregator/records.ts";
import { closeScene, openHand, openScene } from "../aggregator/scene.ts";
import { describeInBrowser, launch } from "./browser.ts";

const soon = { timeout: 20_000 };
const token = "a-token-of-some-length";
const hostile = "<img src=x onerror=fail()>";

describeInBrowser("the page of completeness", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-completeness-page-"));
  let browser: Browser;
  let store: Store;
  let server: ReturnType<typeof Bun.serve>;
  let faults: string[];
  beforeAll(async () => {
    [browser, store] = await Promise.all([launch(), openScene(`embedded:${folder}/postgres`)]);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await closeScene(store);
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    faults = [];
    await store.sql`truncate events, ledger, streams`;
    await serve();
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    await server.stop(true);
    expect(faults).toEqual([]);
  });

  async function serve(wantedToken?: string): Promise<void> {
    const log = memoryLog(new Map(), { topic: "weir.events" });
    await log.create();
    const app = createApi({
      store,
      reader: await log.reader(),
      token: wantedToken,
      edgeSecrets: [],
      clock: systemClock,
      meter: silentMeter,
      logger: { ...silentLogger, error: (code, fields) => faults.push(`${code} ${JSON.stringify(fields)}`) },
      ready: async () => {},
    });
    server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: app.fetch });
  }

  async function open(options = {}): Promise<Page> {
    const page = await (await browser.newContext(options)).newPage();
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("console", (said) => {
      // A refusal for want of a token is told by the browser too.
      const isOurs = !said.text().includes("401");
      if (isOurs && ["error", "warning"].includes(said.type())) faults.push(said.text());
    });
    await page.goto(new URL("/completeness", server.url).href);
    return page;
  }

  async function write(streamId: string, seqs: readonly number[], fields: Sketch["fields"] = {}) {
    const hand = await openHand(store, 1);
    const events = seqs.map((seq) => ({ name: `${streamId}-${seq}`, fields: { streamId, seq, ...fields } }));
    await hand.write(0, recordOf(events, { project: "shop" }));
    await hand.close();
  }

  const cells = async (page: Page, body: string): Promise<string[][]> => {
    const rows = await page.locator(`#${body} tr`).all();
    return Promise.all(
      rows.map(async (row) => (await row.locator("td").allInnerTexts()).map((text) => text.trim())),
    );
  };
  const total = async (page: Page) =>
    Promise.all(
      ["expected", "seen", "declared_lost", "gap"].map((name) =>
        page.locator(`#equation [data-term=${name}] dd`).innerText(),
      ),
    );

  it("says so where no client numbers its events", async () => {
    const page = await open();
    await page.locator("#empty").waitFor(soon);
    expect(await page.locator("#verdict").innerText()).toBe("No streams yet");
    expect(await page.locator("#groups-card").isHidden()).toBe(true);
    expect(await page.locator("#gaps-card").isHidden()).toBe(true);
  });

  it("shows what arrived, by version and by browser, and each hole", async () => {
    await write("s-1", [1, 2, 5, 9], { appVersion: "1.0", context: '{"browser":"Firefox","lost":2}' });
    await write("s-2", [1, 2, 3], { appVersion: hostile, context: "{}" });
    const page = await open();
    await page.locator("#verdict[data-state=bad]").waitFor(soon);
    expect(await total(page)).toEqual(["12", "7", "2", "3"]);
    expect(await page.locator("#verdict").innerText()).toBe("3 missing");
    expect(await page.locator("#summary").innerText()).toBe(
      "58.33 % of what 2 streams numbered has arrived.",
    );
    expect(await cells(page, "groups")).toEqual([
      ["1.0", "1", "9", "2", "3", "44.44 %"],
      [hostile, "1", "3", "0", "0", "100.00 %"],
    ]);
    expect((await cells(page, "gaps")).map((row) => row.slice(1))).toEqual([
      ["shop", "s-1", "3", "3-4, 6-8"],
    ]);
    await page.locator("#by").selectOption("browser");
    await expect
      .poll(async () => (await cells(page, "groups")).map(([name]) => name), soon)
      .toEqual(["Firefox", "not told"]);
    expect(await page.locator("#by-name").innerText()).toBe("Browser");
  });

  it("closes a hole when its event comes late", async () => {
    await write("s-1", [1, 3]);
    const page = await open();
    await page.locator("#verdict[data-state=bad]").waitFor(soon);
    await write("s-1", [2]);
    await page.locator("#verdict[data-state=ok]").waitFor(soon);
    expect(await total(page)).toEqual(["3", "3", "0", "0"]);
    expect(await page.locator("#gaps-card").isHidden()).toBe(true);
  });

  it("shows more streams page by page", async () => {
    for (let stream = 0; stream < 55; stream += 1) await write(`s-${stream}`, [2]);
    const page = await open();
    await expect.poll(() => page.locator("#gaps tr").count(), soon).toBe(50);
    await page.locator("#more").click();
    await expect.poll(() => page.locator("#gaps tr").count(), soon).toBe(55);
    expect(await page.locator("#more").isHidden()).toBe(true);
  }, 60_000);

  it("asks for a token where one is needed, and fits a phone", async () => {
    await write("s-with-a-rather-long-name-1234567890", [1, 5]);
    await server.stop(true);
    await serve(token);
    const page = await open({ viewport: { width: 360, height: 740 } });
    await page.locator("#token-text").fill(token, soon);
    await page.locator("#token-form button").click();
    await page.locator("#verdict[data-state=bad]").waitFor(soon);
    const isWider = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    expect(isWider).toBe(false);
  });
});
