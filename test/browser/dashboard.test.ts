// The dashboard in a real browser, over the real API and an embedded store.
// biome-ignore-all lint/performance/useDomNodeTextContent: what a person sees is the text as it is laid out
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { createApi } from "../../aggregator/api/app.ts";
import { modelTables } from "../../aggregator/model/models.ts";
import { systemClock } from "../../shared/clock.ts";
import type { LogProducer, LogReader } from "../../shared/log/log.ts";
import { memoryLog } from "../../shared/log/memory.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { type FilledStore, filledStore, type GivenEvent } from "../aggregator/read/filled-store.ts";
import { describeInBrowser, launch } from "./browser.ts";

const dayMs = 86_400_000;
/** A deadline for what has none of its own, generous since suites share the machine. */
const soon = { timeout: 20_000 };
const token = "a-token-of-some-length";

describeInBrowser("the dashboard", () => {
  let browser: Browser;
  let filled: FilledStore;
  let producer: LogProducer;
  let reader: LogReader;
  let server: ReturnType<typeof Bun.serve>;
  let url: string;
  let faults: string[];
  let batches = 0;

  beforeAll(async () => {
    [browser, filled] = await Promise.all([launch(), filledStore()]);
  });

  afterAll(async () => {
    await browser?.close();
    await filled?.close();
  });

  beforeEach(async () => {
    await filled.store.sql.begin(async (tx) => {
      for (const table of ["events", "ledger", "log_positions", ...modelTables]) {
        await tx`delete from ${tx(table)}`;
      }
    });
    const log = memoryLog(new Map(), { topic: "weir.events" });
    await log.create();
    [producer, reader] = [await log.producer(), await log.reader()];
    faults = [];
    batches = 0;
    serve();
  });

  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    await server.stop(true);
    expect(faults).toEqual([]);
  });

  function serve(port = 0, wantedToken?: string): void {
    const app = createApi({
      store: filled.store,
      reader,
      token: wantedToken,
      edgeSecrets: [],
      clock: systemClock,
      meter: silentMeter,
      logger: { ...silentLogger, error: (code, fields) => faults.push(`${code} ${JSON.stringify(fields)}`) },
      ready: async () => {},
    });
    server = Bun.serve({ port, hostname: "127.0.0.1", idleTimeout: 30, fetch: app.fetch });
    url = server.url.href;
  }

  async function open(fragment = "", options: BrowserContextOptions = {}): Promise<Page> {
    const page = await (await browser.newContext(options)).newPage();
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("console", (message) => {
      // Reading a canvas back is this test's doing.
      const isOurs = !message.text().startsWith("Canvas2D:");
      if (isOurs && ["error", "warning"].includes(message.type())) faults.push(message.text());
    });
    await page.goto(`${url}${fragment}`);
    return page;
  }

  /** Stores events as the writer would: the record lies in the log, the rows and the ledger beside its place. */
  async function store(events: readonly GivenEvent[], outcomes = {}): Promise<void> {
    const offset = batches++;
    await producer.publish(0, new Uint8Array(1));
    await filled.addEvents(events);
    const id = `00000000-0000-7000-8000-${String(offset).padStart(12, "0")}`;
    await filled.addBatches(reader.identity, [{ id, offset, stored: events.length, ...outcomes }]);
  }

  const ago = (ms: number): string => new Date(Date.now() - ms).toISOString();

  function month(): GivenEvent[] {
    return Array.from({ length: 60 }, (_, number) => ({
      at: ago((number % 20) * dayMs),
      type: ["page_view", "purchase", "signup"][number % 3]!,
      ...(number % 2 === 0 ? { user: `u${number % 7}` } : { anonymous: `a${number}` }),
      ...(number % 3 === 1 ? { revenue: number % 4 === 0 ? "-3.25" : "10", currency: "EUR" } : {}),
    }));
  }

  const term = (page: Page, name: string) => page.locator(`#equation [data-term=${name}] dd`);
  const rowsOf = (page: Page) => page.locator("#newest tr");

  /** How many pixels of a chart are drawn in the first layer's colour. */
  const drawnIn = (page: Page, id: string): Promise<number> =>
    page.locator(`#${id} canvas`).evaluate((element) => {
      const canvas = element as HTMLCanvasElement;
      const color = getComputedStyle(document.documentElement).getPropertyValue("--layer-1").trim();
      const wanted = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      let count = 0;
      for (let at = 0; at < data.length; at += 4) {
        if (
          wanted.every((value, channel) => Math.abs(value - data[at + channel]!) < 3) &&
          data[at + 3] === 255
        )
          count += 1;
      }
      return count;
    });

  it("shows what was received and what became of it", async () => {
    await store(month(), { claimedTwice: 1200, storedTwice: 34, refused: 7, refusedTwice: 2, conflict: 1 });
    const page = await open();
    await page.locator("#verdict[data-state=ok]").waitFor();
    expect(await term(page, "received").innerText()).toBe("1,302");
    expect(await term(page, "stored").innerText()).toBe("60");
    expect(await term(page, "duplicate").innerText()).toBe("1,236");
    expect(await term(page, "quarantined").innerText()).toBe("6");
    expect(await term(page, "in_flight").innerText()).toBe("0");
    expect(await term(page, "erased").isVisible()).toBe(false);
    expect(await page.locator("#verdict").innerText()).toBe("Every event accounted for");
    expect(await page.locator("#status-text").innerText()).toBe("Live");
  });

  it("counts every row when somebody asks, and says what does not hold", async () => {
    await store(month());
    const page = await open();
    const proof = page.locator("#proof");
    await page.locator("#verdict[data-state=ok]").waitFor();
    await page.getByRole("button", { name: "Count every row" }).click();
    await expect.poll(() => proof.innerText(), soon).toContain("60 rows counted");
    await filled.store.sql`delete from events where id = (select id from events limit 1)`;
    await page.getByRole("button", { name: "Count every row" }).click();
    await expect.poll(() => proof.innerText(), soon).toContain("59 rows counted; broken: conservation");
  });

  it("draws events, people and revenue", async () => {
    await store(month());
    const page = await open();
    for (const id of ["events", "users", "revenue"]) {
      await page.locator(`#${id} canvas`).waitFor();
      await expect.poll(() => drawnIn(page, id), soon).toBeGreaterThan(200);
    }
    expect(await page.locator("#events .total").innerText()).toBe("60");
    expect(await page.locator("#events .legend").innerText()).toMatch(
      /page_view\s*20\s*purchase\s*20\s*signup\s*20/,
    );
    // 20 purchases, a fourth of them given back.
    expect(await page.locator("#revenue .total").innerText()).toBe("€133.75");
  });

  it("shows a new event within two seconds of its being stored", async () => {
    await store(month());
    const page = await open();
    await rowsOf(page).nth(9).waitFor();
    expect(await rowsOf(page).count()).toBe(10);
    const before = Number(await page.locator("#tile-events").innerText());
    await store([{ at: ago(0), type: "hello_there", user: "ada", country: "Iceland" }]);
    await page.waitForFunction(
      (wanted) => {
        const text = (id: string): string => document.querySelector(id)?.textContent ?? "";
        return (
          text("#newest").includes("hello_there") &&
          text("#tile-events") === wanted &&
          text("#events .total") === "61"
        );
      },
      String(before + 1),
      { timeout: 2_000 },
    );
    // The line asks by a clock of its own.
    await expect.poll(() => term(page, "stored").innerText(), soon).toBe("61");
    expect(await rowsOf(page).first().innerText()).toMatch(/hello_there\s+ada\s+Iceland/);
  });

  it("shows who is there now, as it is told without being asked", async () => {
    await store([{ at: ago(600_000), type: "purchase", user: "ada" }]);
    const page = await open();
    const shown = (id: string) => page.locator(`#${id}`).innerText();
    await expect.poll(() => shown("live-active_users-15m"), soon).toBe("1");
    expect(await shown("tile-live")).toBe("0");
    const heights = () => page.locator(".live").evaluate((card) => card.getBoundingClientRect().height);
    const before = await heights();
    await store([
      { at: ago(1_000), type: "purchase", user: "eve" },
      { at: ago(1_000), type: "page_view", anonymous: "a-1" },
    ]);
    await expect.poll(() => shown("tile-live"), soon).toBe("2");
    expect(await shown("live-active_users-1h")).toBe("3");
    expect(await shown("live-events-1m")).toBe("2");
    expect(await shown("live-conversions-1m")).toBe("1");
    expect(await heights()).toBe(before);
    await page.getByRole("radio", { name: "Identified" }).check();
    await expect.poll(() => shown("tile-live"), soon).toBe("1");
  });

  it("tells how to send the first event, and goes on when it came", async () => {
    const page = await open();
    await page.locator("#welcome").waitFor();
    const command = await page.locator("#welcome-command").innerText();
    expect(command).toContain("/v1/events");
    expect(command).toContain("content-type: application/json");
    expect(await page.locator("#content").isVisible()).toBe(false);
    await store([{ at: ago(0), type: "first", user: "ada" }]);
    await page.locator("#newest tr", { hasText: "first" }).waitFor(soon);
    expect(await page.locator("#welcome").isVisible()).toBe(false);
  });

  it("switches between all and identified people, and keeps that in the URL", async () => {
    const day = ago(dayMs);
    await store([
      { at: day, user: "ada" },
      { at: day, anonymous: "a-1" },
      { at: day, anonymous: "a-2" },
    ]);
    const page = await open();
    const total = page.locator("#users .total");
    await expect.poll(() => total.innerText(), soon).toBe("3 at most a day");
    await page.getByRole("radio", { name: "Identified" }).check();
    await expect.poll(() => total.innerText(), soon).toBe("1 at most a day");
    expect(new URL(page.url()).search).toContain("users=identified");
    await page.reload();
    await expect.poll(() => total.innerText(), soon).toBe("1 at most a day");
    expect(await page.getByRole("radio", { name: "Identified" }).isChecked()).toBe(true);
  });

  it("shows the range it was linked to, and everything where the last days hold nothing", async () => {
    await store([
      { at: "2024-02-28T12:00:00Z", type: "old", user: "ada" },
      { at: "2024-03-02T12:00:00Z", type: "old", user: "ada" },
    ]);
    const page = await open();
    const total = page.locator("#events .total");
    await expect.poll(() => total.innerText(), soon).toBe("2");
    expect(await page.getByRole("radio", { name: "All" }).first().isChecked()).toBe(true);
    await page.getByRole("radio", { name: "7 days" }).check();
    await expect.poll(() => page.locator("#events .state").innerText(), soon).toBe("Nothing in this range");
    const linked = await open("?range=custom&from=2024-03-01&to=2024-03-02");
    await expect.poll(() => linked.locator("#events .total").innerText(), soon).toBe("1");
    expect(await linked.locator("input[name=from]").inputValue()).toBe("2024-03-01");
  });

  it("reads a chart by the keyboard and by the pointer", async () => {
    await store(month());
    const page = await open();
    await page.locator("#events canvas").waitFor();
    const chart = page.locator("#events .chart");
    await chart.focus();
    await page.keyboard.press("End");
    const today = new Intl.DateTimeFormat("en", { month: "short", day: "numeric", timeZone: "UTC" }).format(
      new Date(),
    );
    await expect.poll(() => page.locator("#events [aria-live]").innerText(), soon).toContain(`${today}, `);
    expect(await page.locator("#events [aria-live]").innerText()).toContain("page_view 1");
    expect(await page.locator("#events .tip").innerText()).toMatch(/total\s+3/);
    await page.keyboard.press("ArrowLeft");
    await expect
      .poll(() => page.locator("#events [aria-live]").innerText(), soon)
      .not.toContain(`${today}, `);
    await page.mouse.move(0, 0);
    await page.locator("#users .frame").hover({ position: { x: 300, y: 100 } });
    await page.locator("#users .tip").waitFor();
  });

  it("hands out a chart's numbers as CSV", async () => {
    await store([{ at: ago(0), type: "click", user: "ada" }]);
    const page = await open();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Download events as CSV" }).click(),
    ]);
    const text = await new Response(Bun.file(await download.path())).text();
    expect(text).toBe(`bucket,type,events\r\n${ago(0).slice(0, 10)},click,1\r\n`);
  });

  it("writes values as text, never as markup", async () => {
    await store([
      { at: ago(0), type: "<img src=x onerror=alert(1)>", user: "<b>ada</b>", country: "<script>" },
    ]);
    const page = await open();
    await page.locator("#newest tr", { hasText: "<b>ada</b>" }).waitFor();
    expect(await page.locator("#newest img, #newest b, #newest script, .legend img").count()).toBe(0);
  });

  it("is light or dark as the person wishes, also while it is open", async () => {
    await store(month());
    const page = await open("", { colorScheme: "light" });
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.locator("#events canvas").waitFor();
    expect(await ground()).toBe("rgb(245, 246, 243)");
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await ground()).toBe("rgb(14, 20, 19)");
    await expect.poll(() => drawnIn(page, "events"), soon).toBeGreaterThan(200);
  });

  it.each([320, 375, 768, 1440])("never scrolls sideways at %i px", async (width) => {
    await store([
      ...month(),
      { at: ago(0), type: "a".repeat(200), user: "u".repeat(200), country: "c".repeat(99) },
    ]);
    const page = await open("?range=custom&interval=week", { viewport: { width, height: 800 } });
    await page.locator("#events canvas").waitFor();
    await rowsOf(page).first().waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    expect(await page.locator("#events canvas").evaluate((canvas) => canvas.clientWidth)).toBeGreaterThan(
      width / 2.5,
    );
  });

  it("says when the aggregator is away, keeps what it showed, and goes on by itself", async () => {
    await store(month());
    const page = await open();
    await page.locator("#verdict[data-state=ok]").waitFor();
    const port = server.port!;
    await server.stop(true);
    await page.locator("#status[data-state=failed]").waitFor();
    expect(await page.locator("#notice").innerText()).toContain("does not answer");
    expect(await term(page, "stored").innerText()).toBe("60");
    serve(port);
    await page.locator("#status[data-state=live]").waitFor();
    expect(await page.locator("#notice").isVisible()).toBe(false);
    faults = faults.filter((fault) => !fault.includes("net::ERR_"));
  });

  it("asks for the token where one is set, and never shows it in a URL", async () => {
    await server.stop(true);
    serve(0, token);
    await store(month());
    const page = await open();
    const urls: string[] = [];
    page.on("request", (request) => urls.push(request.url()));
    const input = page.getByLabel("Token", { exact: true });
    await input.waitFor();
    await input.fill("not the token at all");
    await page.getByRole("button", { name: "Open" }).click();
    await page.locator("#token-fault").waitFor();
    await input.fill(token);
    await page.keyboard.press("Enter");
    await page.locator("#verdict[data-state=ok]").waitFor();
    await page.locator("#events canvas").waitFor();
    expect(urls.length).toBeGreaterThan(3);
    expect(urls.join()).not.toContain(token);
    expect(page.url()).not.toContain(token);
    expect(await page.evaluate(() => localStorage.length + document.cookie.length)).toBe(0);
    faults = faults.filter((fault) => !fault.includes("401"));
  });
});
