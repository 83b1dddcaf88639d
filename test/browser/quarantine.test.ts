// The page of the quarantine in a real browser, over the whole pipeline.
// biome-ignore-all lint/performance/useDomNodeTextContent: what a person sees is the text as it is laid out
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { createApi } from "../../aggregator/api/app.ts";
import { systemClock } from "../../shared/clock.ts";
import { memoryLog } from "../../shared/log/memory.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { type Embedded, startEmbedded } from "../support/embedded.ts";
import { until } from "../support/until.ts";
import { describeInBrowser, launch } from "./browser.ts";

const soon = { timeout: 20_000 };
const hostile = '<script>window.caught = 1</script><img src=x onerror="window.caught = 2">';

describeInBrowser("the page of the quarantine", () => {
  let browser: Browser;
  let weir: Embedded;
  let faults: string[];
  beforeAll(async () => {
    [browser, weir] = await Promise.all([launch(), startEmbedded(["shop"])]);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await weir?.close();
  });
  beforeEach(async () => {
    faults = [];
    await weir.store.sql`delete from quarantine`;
  });
  afterEach(async () => {
    await Promise.all(browser.contexts().map((context) => context.close()));
    expect(faults).toEqual([]);
  });

  async function send(events: readonly unknown[], kept: number): Promise<void> {
    const response = await fetch(`${weir.edge.url}/v1/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${weir.keyOf("shop")}`, "content-type": "application/json" },
      body: JSON.stringify({ events }),
    });
    expect(response.status).toBe(202);
    await until("the refused events are kept", 20_000, async () => {
      const rows = await weir.store.sql`select 1 from quarantine`;
      return rows.length === kept;
    });
  }

  async function open(base = weir.aggregatorUrl, options = {}): Promise<Page> {
    const page = await (await browser.newContext(options)).newPage();
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("console", (said) => {
      if (["error", "warning"].includes(said.type())) faults.push(said.text());
    });
    page.on("dialog", (dialog) => void faults.push(dialog.message()));
    await page.goto(new URL("/quarantine", base).href);
    return page;
  }

  const statusOf = async (name: string): Promise<unknown> => {
    const rows = await weir.store.sql`
      select status from quarantine where convert_from(original, 'utf8') like ${`%${name}%`}`;
    return rows[0]?.["status"];
  };

  const mend = () => weir.store.sql`
    update quarantine
    set original = convert_to(replace(convert_from(original, 'utf8'), ',"colour":1', ''), 'utf8')`;

  it("says so where nothing is there", async () => {
    const page = await open();
    await page.locator("#empty").waitFor(soon);
    expect(await page.locator("#summary").innerText()).toBe("0 events");
    expect(await page.locator("#table").isHidden()).toBe(true);
    expect(await page.locator("#tools").isHidden()).toBe(true);
  });

  it("counts by reason, and shows those of one", async () => {
    const event = { type: "t", user_id: "u" };
    await send(
      [
        { ...event, event_id: "c1", colour: 1 },
        { ...event, event_id: "c2", colour: 1 },
        { ...event, event_id: "c3", timestamp: "soon" },
      ],
      3,
    );
    const page = await open();
    await page.locator("#rows tr").nth(2).waitFor(soon);
    expect(await page.locator("#reasons button").allInnerTexts()).toEqual([
      expect.stringMatching(/All reasons\s*3/),
      expect.stringMatching(/unknown_field\s*2/),
      expect.stringMatching(/timestamp_invalid\s*1/),
    ]);
    await page.getByRole("button", { name: /timestamp_invalid/ }).click();
    await page
      .locator("#rows tr")
      .nth(1)
      .waitFor({ ...soon, state: "detached" });
    expect(await page.locator("#rows tr").count()).toBe(1);
    expect(await page.locator("#rows").innerText()).toContain("/timestamp");
    expect(await page.locator("#reasons [aria-pressed=true]").innerText()).toContain("timestamp_invalid");
    expect(await page.locator("#reasons button").count()).toBe(3);
  });

  it("shows a hostile event as the text it is", async () => {
    await send([{ event_id: "h", type: hostile, user_id: "u", payload: { a: hostile }, [hostile]: 1 }], 1);
    const page = await open();
    await page.getByRole("button", { name: /^Show event/ }).click();
    const original = page.locator("#detail-original");
    await original.waitFor(soon);
    expect(await original.innerText()).toContain("<script>window.caught = 1</script>");
    expect(await page.locator("#detail-facts").innerText()).toContain("onerror=");
    expect(await page.locator("main script, dialog script, main img, dialog img").count()).toBe(0);
    expect(await page.evaluate("window.caught")).toBeUndefined();
  });

  it("is worked with the keyboard alone: choose, retry, confirm", async () => {
    await send([{ event_id: "keyed", type: "t", user_id: "u", colour: 1 }], 1);
    await mend();
    const page = await open();
    await page.locator("#rows input").focus(soon);
    await page.keyboard.press("Space");
    expect(await page.locator("#chosen").innerText()).toBe("1 selected");
    await page.locator("#retry").focus();
    await page.keyboard.press("Enter");
    await page.locator("#confirm[open]").waitFor(soon);
    expect(await page.locator("#confirm-title").innerText()).toBe("Retry this event?");
    await page.locator("#confirm-yes").focus();
    await page.keyboard.press("Enter");
    await page.locator("#notice[data-state=good]").waitFor(soon);
    expect(await page.locator("#notice").innerText()).toBe("1 sent, 1 stored.");
    await page.locator("#empty").waitFor(soon);
    expect(await statusOf("keyed")).toBe("retried");
    const rows = await weir.store.sql`select 1 from events where event_id = 'keyed'`;
    expect(rows).toHaveLength(1);
  });

  it("changes nothing where the question is left", async () => {
    await send([{ event_id: "left", type: "t", user_id: "u", colour: 1 }], 1);
    const page = await open();
    await page.getByLabel("Select all of this page").check(soon);
    await page.locator("#discard").click();
    await page.keyboard.press("Escape");
    await page.locator("#confirm[open]").waitFor({ ...soon, state: "detached" });
    await page.locator("#discard").click();
    await page.getByRole("button", { name: "Cancel" }).click();
    expect(await statusOf("left")).toBe("open");
  });

  it("discards from the event itself, and only with a reason", async () => {
    await send([{ event_id: "gone", type: "t", user_id: "u", colour: 1 }], 1);
    const page = await open();
    await page.getByRole("button", { name: /^Show event/ }).click();
    await page.locator("#detail-discard").click();
    await page.locator("#confirm-yes").click();
    expect(await statusOf("gone")).toBe("open");
    await page.getByLabel("Why").fill("sent by a test");
    await page.keyboard.press("Enter");
    await page.locator("#notice[data-state=good]").waitFor(soon);
    expect(await statusOf("gone")).toBe("discarded");
    await page.locator("#show").selectOption("discarded");
    await page.getByRole("button", { name: /^Show event/ }).click();
    await page.locator("#detail-history li").waitFor(soon);
    expect(await page.locator("#detail-history").innerText()).toContain("discard · by api · sent by a test");
    expect(await page.locator("#detail-retry").isHidden()).toBe(true);
  });

  it("offers a conflict to be stored as new, and leaves it where that is not wanted", async () => {
    const event = { event_id: "conflict", type: "t", user_id: "u" };
    await send([{ ...event, payload: { a: 1 } }], 0);
    await send([{ ...event, payload: { a: 2 } }], 1);
    const page = await open();
    const retry = async (asNew: boolean): Promise<void> => {
      await page.locator("#rows input").check(soon);
      await page.locator("#retry").click();
      await page.locator("#confirm-new").setChecked(asNew);
      await page.locator("#confirm-yes").click();
      await page.locator("#confirm[open]").waitFor({ ...soon, state: "detached" });
    };
    await retry(false);
    expect(await page.locator("#notice").innerText()).toContain("1 conflicts left as they are");
    await retry(true);
    await page.locator("#notice[data-state=good]").waitFor(soon);
    expect((await weir.store.sql`select 1 from events where type = 't' and payload ? 'a'`).length).toBe(2);
  });

  it("shows a record kept whole, retries it where it is, and discards it", async () => {
    const [row] = await weir.store.sql`
      insert into quarantined_records (log_id, partition, log_offset, reason, detail, original)
      values ('another log', 3, 7, 'record_unreadable', 'no record', '\\x00ff')
      returning 'r' || record_id as id`;
    const page = await open();
    await page.getByRole("button", { name: `Show event ${row?.["id"]}` }).click(soon);
    await page.locator("#detail[open]").waitFor(soon);
    expect(await page.locator("#detail-title").innerText()).toBe(`Record ${row?.["id"]}`);
    expect(await page.locator("#detail-what").innerText()).toContain("partition 3, offset 7");
    expect(await page.locator("#detail-original").innerText()).toBe("AP8=");
    await page.locator("#detail-retry").click();
    await page.locator("#confirm-yes").click();
    await page.locator("#notice[data-state=bad]").waitFor(soon);
    expect(await page.locator("#notice").innerText()).toBe(
      "0 sent, 0 stored, 1 record cannot be read still.",
    );
    await page.locator("#rows input").check(soon);
    await page.locator("#discard").click();
    await page.getByLabel("Why").fill("noise");
    await page.keyboard.press("Enter");
    await page.locator("#notice[data-state=good]").waitFor(soon);
    expect(await page.locator("#notice").innerText()).toBe("1 discarded.");
    await weir.store.sql`delete from quarantined_records`;
  });

  it("says what is wrong where nothing answers, and goes on by itself", async () => {
    const page = await open();
    await page.locator("#status[data-state=live]").waitFor(soon);
    await page.route("**/v1/**", (route) => route.abort());
    await page.locator("#status[data-state=failed]").waitFor({ timeout: 15_000 });
    expect(await page.locator("#notice").innerText()).toContain("The aggregator does not answer");
    faults = faults.filter((text) => !text.includes("net::ERR_FAILED"));
    await page.unroute("**/v1/**");
    await page.locator("#status[data-state=live]").waitFor({ timeout: 15_000 });
    expect(await page.locator("#notice").isHidden()).toBe(true);
    faults = faults.filter((text) => !text.includes("net::ERR_FAILED"));
  }, 40_000);

  it("asks for the token, and opens with it", async () => {
    const log = memoryLog(new Map(), { topic: "weir.events" });
    await log.create();
    const app = createApi({
      store: weir.store,
      reader: await log.reader(),
      token: "a-token-of-some-length",
      edgeSecrets: [],
      clock: systemClock,
      meter: silentMeter,
      logger: silentLogger,
      ready: async () => {},
    });
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: app.fetch });
    const page = await open(server.url.href);
    await page.locator("#token[open]").waitFor(soon);
    await page.locator("#token-text").fill("a-token-of-some-length");
    await page.keyboard.press("Enter");
    await page.locator("#status[data-state=live]").waitFor(soon);
    faults = faults.filter((text) => !text.includes("401"));
    await server.stop(true);
  });

  it("fits a phone and both colour schemes", async () => {
    const event = { type: "t", user_id: "u", payload: { html: hostile } };
    const names = ["colour", "a_long_name_of_a_field_that_nobody_knows", "x"];
    await send(
      names.map((name) => ({ ...event, event_id: name, [name]: 1 })),
      3,
    );
    for (const colorScheme of ["light", "dark"] as const) {
      for (const viewport of [
        { width: 1280, height: 900 },
        { width: 390, height: 800 },
      ]) {
        const page = await open(undefined, { colorScheme, viewport });
        await page.locator("#rows tr").first().waitFor(soon);
        const width = await page.evaluate("document.documentElement.scrollWidth");
        expect(width).toBeLessThanOrEqual(viewport.width);
        const folder = process.env["WEIR_TEST_SCREENS"];
        if (folder === undefined) continue;
        await page.screenshot({ path: `${folder}/quarantine-${colorScheme}-${viewport.width}.png` });
        await page
          .getByRole("button", { name: /^Show event/ })
          .first()
          .click();
        await page.locator("#detail[open]").waitFor(soon);
        await page.screenshot({ path: `${folder}/quarantine-detail-${colorScheme}-${viewport.width}.png` });
      }
    }
  });
});
