// The dashboard's pages of one question each in a real browser, over the real API and an embedded store.
// biome-ignore-all lint/performance/useDomNodeTextContent: what a person sees is the text as it is laid out
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { GivenEvent } from "../aggregator/read/filled-store.ts";
import { describeInBrowser } from "./browser.ts";
import { type DashboardScene, openDashboardScene, soon } from "./dashboard-scene.ts";

/** Two months: ada comes back, bob does not, a visitor without a name comes once. */
const past: readonly GivenEvent[] = [
  { at: "2025-03-03T10:00:00Z", type: "signup", user: "ada", country: "Iceland" },
  { at: "2025-03-03T10:10:00Z", type: "purchase", user: "ada", revenue: "20.50", currency: "EUR" },
  { at: "2025-03-03T12:00:00Z", type: "signup", user: "bob", country: "Chile" },
  { at: "2025-03-04T09:00:00Z", type: "page_view", anonymous: "visitor" },
  { at: "2025-04-08T10:00:00Z", type: "page_view", user: "ada" },
  {
    ...{ at: "2025-04-08T10:30:00Z", type: "refund", user: "ada", revenue: "-0.50", currency: "EUR" },
    ...{ receivedAt: "2025-04-08T14:30:00Z", payload: { reason: { code: 7 } } },
  },
  { at: "2025-04-08T11:00:00Z", type: "purchase", user: "ada", revenue: "7", currency: "USD" },
];
const span = "range=custom&from=2025-03-01&to=2025-04-30";

describeInBrowser("a page of one question", () => {
  let scene: DashboardScene;
  beforeAll(async () => {
    scene = await openDashboardScene();
    await scene.filled.addEvents(past);
  }, 120_000);
  afterAll(() => scene?.close());
  afterEach(async () => {
    const faults = [...scene.faults];
    await scene.clear();
    expect(faults).toEqual([]);
  });

  const total = (page: Page, id = "answer"): Promise<string> => page.locator(`#${id} .total`).innerText();
  const search = (page: Page): string => decodeURIComponent(new URL(page.url()).search);
  /** The rows of a table as texts. */
  const cells = (page: Page, table: string): Promise<string[][]> =>
    page
      .locator(`${table} tbody tr`)
      .evaluateAll((rows) =>
        rows.map((row) => [...(row as HTMLTableRowElement).cells].map((cell) => cell.textContent ?? "")),
      );

  it("counts people by day, week and month, all or identified, of all types or some", async () => {
    const page = await scene.open(`/active-users?${span}`);
    await expect.poll(() => total(page), soon).toBe("2 at most a day");
    await page.getByRole("radio", { name: "Month" }).check();
    await expect.poll(() => total(page), soon).toBe("3 at most a month");
    await page.getByRole("radio", { name: "Identified" }).check();
    await expect.poll(() => total(page), soon).toBe("2 at most a month");
    await page.locator(".menu summary").click();
    await page.getByRole("checkbox", { name: "refund" }).check();
    await expect.poll(() => total(page), soon).toBe("1 at most a month");
    expect(search(page)).toContain("interval=month&users=identified&types=refund");
    await page.keyboard.press("Escape");
    expect(await page.locator(".menu").getAttribute("open")).toBeNull();
    const shared = await scene.open(`/active-users${new URL(page.url()).search}`);
    await expect.poll(() => total(shared), soon).toBe("1 at most a month");
    await shared.getByText("Numbers").click();
    expect(await cells(shared, "#answer table")).toEqual([
      ["April 2025", "1"],
      ["March 2025", "0"],
    ]);
  });

  it("counts the people of the last days up to each one, and how many of them came", async () => {
    const page = await scene.open(`/active-users?${span}`);
    await expect.poll(() => total(page), soon).toBe("2 at most a day");
    await page.getByLabel("People of").selectOption("7d");
    await expect.poll(() => total(page), soon).toBe("3 at most a day");
    expect(search(page)).toContain("rolling=7d");
    await page.getByLabel("People of").selectOption("stickiness");
    // 4 came on their days, of 2 + 27 × 3 + 1 + 23 × 1 who had come in the 28 days up to each.
    await expect.poll(() => total(page), soon).toBe("3.7% on average");
    await page.getByText("Numbers").click();
    const rows = await cells(page, "#answer table");
    expect(rows.find(([day]) => day!.includes("Mar 4, 2025"))![1]).toBe("33.3%");
  });

  it("links to the same question as CSV", async () => {
    const page = await scene.open(`/active-users?${span}&interval=month`);
    await expect.poll(() => total(page), soon).toBe("3 at most a month");
    const link = page.getByRole("link", { name: /CSV/ });
    expect(await link.getAttribute("href")).toContain("interval=month&format=csv");
    const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
    const text = await new Response(Bun.file(await download.path())).text();
    expect(text).toBe("bucket,active_users\r\n2025-03-01,3\r\n2025-04-01,1\r\n");
  });

  it("shows one currency at a time, what was given back included", async () => {
    const page = await scene.open(`/revenue?${span}`);
    await expect.poll(() => total(page), soon).toBe("€20.00");
    await page.getByLabel("Currency").selectOption("USD");
    await expect.poll(() => total(page), soon).toBe("$7.00");
    expect(search(page)).toContain("currency=USD");
  });

  it("counts sessions and their length over the whole span", async () => {
    const page = await scene.open(`/sessions?${span}`);
    // ada's two of 10 and 60 minutes, bob's and the visitor's of one event each.
    await expect.poll(() => total(page), soon).toBe("4");
    expect(await total(page, "answer-2")).toBe("17 min 30 s");
    await page.locator("#answer-2").getByText("Numbers").click();
    const lengths = await cells(page, "#answer-2 table");
    expect(lengths.find(([day]) => day!.includes("Apr 8"))?.[1]).toBe("1 h");
    // A day without a session has no average.
    expect(lengths.find(([day]) => day!.includes("Apr 7"))?.[1]).toBe("–");
  });

  it("draws the triangle of retention in percent and in people", async () => {
    const page = await scene.open(`/retention?${span}&interval=month&users=identified`);
    await page.locator(".triangle").waitFor();
    expect(await cells(page, ".triangle")).toEqual([["Mar 2025", "2", "100%", "50%"]]);
    await page.getByRole("radio", { name: "People" }).check();
    await expect.poll(() => cells(page, ".triangle"), soon).toEqual([["Mar 2025", "2", "2", "1"]]);
    await page.getByLabel("Split by").selectOption("country");
    await expect.poll(() => page.locator(".group").allInnerTexts(), soon).toEqual(["Chile", "Iceland"]);
    expect(search(page)).toContain("users=identified&breakdown=country&show=users");
  });

  it("puts segments in order, by what is chosen", async () => {
    const page = await scene.open(`/segments?${span}`);
    await page.locator("#answer table").waitFor();
    const names = async (): Promise<string[]> => (await cells(page, "#answer table")).map(([name]) => name!);
    await expect.poll(names, soon).toContain("Chile");
    await page.getByRole("combobox", { name: "By", exact: true }).selectOption("type");
    await expect.poll(names, soon).toContain("refund");
    expect(search(page)).toContain("by=type");
    const rows = await cells(page, "#answer table");
    expect(rows.find(([name]) => name === "signup")?.[3]).toBe("2");
  });

  it("builds a funnel step by step, by the keyboard alone", async () => {
    const page = await scene.open(`/funnel?${span}`);
    await page.getByText("Choose at least two steps").waitFor();
    const steps = page.locator(".step select");
    await steps.nth(0).selectOption("signup");
    await steps.nth(1).selectOption("purchase");
    const bars = (): Promise<string[][]> => cells(page, ".funnel");
    await expect.poll(bars, soon).toEqual([
      ["1signup", "2", "100%", ""],
      ["2purchase", "1", "50%", "50%"],
    ]);
    expect(search(page)).toContain("steps=signup,purchase");
    await page.getByRole("button", { name: "Add a step" }).press("Enter");
    await page.keyboard.type("page");
    await expect.poll(bars, soon).toHaveLength(3);
    await page.getByRole("button", { name: "Move step 3 up" }).press("Enter");
    await expect.poll(() => search(page), soon).toContain("steps=signup,page_view,purchase");
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.getAttribute("aria-label")), soon)
      .toBe("Move step 2 up");
    await page.getByRole("button", { name: "Remove step 2" }).press("Enter");
    await expect.poll(bars, soon).toHaveLength(2);
    await page.getByLabel("Split by").selectOption("country");
    await expect.poll(() => page.locator(".group").allInnerTexts(), soon).toEqual(["Chile", "Iceland"]);
  });

  it("shows what people did next, and what led up to it", async () => {
    const page = await scene.open(`/paths?${span}&type=signup`);
    const rows = (): Promise<string[][]> => cells(page, ".paths");
    await expect.poll(rows, soon).toEqual([
      ["signup", "2", "100%", "50%"],
      ["↳signup, then purchase", "1", "50%", "100%"],
    ]);
    expect(await page.locator("#answer .key").innerText()).toBe("2 people were at signup.");
    await page.getByRole("combobox", { name: "Paths", exact: true }).selectOption("end");
    await page.getByLabel("Event type").selectOption("refund");
    await page.getByLabel("Of each person").selectOption("any");
    await expect.poll(rows, soon).toEqual([
      ["refund", "1", "100%", "1", "0%"],
      ["↑refund, before that page_view", "1", "100%", "1", "100%"],
    ]);
    expect(search(page)).toContain("toward=end&entry=any&type=refund");
    await page.getByLabel("Within").selectOption("1h");
    await expect.poll(() => search(page), soon).toContain("within=1h");
    const link = await page.getByRole("link", { name: /CSV/ }).getAttribute("href");
    expect(link).toContain("end=refund&limit=1000");
  });

  it("puts event types in the order of a column, and opens their properties", async () => {
    const page = await scene.open(`/event-types?${span}`);
    const types = async (): Promise<string[]> => (await cells(page, "#answer table")).map(([name]) => name!);
    await expect.poll(types, soon).toEqual(["page_view", "purchase", "signup", "refund"]);
    const people = page.getByRole("button", { name: "People" });
    await people.press("Enter");
    await expect.poll(types, soon).toEqual(["page_view", "signup", "purchase", "refund"]);
    await people.press("Enter");
    await expect.poll(types, soon).toEqual(["purchase", "refund", "page_view", "signup"]);
    expect(await page.locator("#answer [aria-sort=ascending]").innerText()).toContain("People");
    await page.getByText("Nothing in the payloads of page_view").waitFor();
    await page.getByRole("button", { name: "refund", exact: true }).click();
    await expect
      .poll(() => cells(page, "#answer-2 table"), soon)
      .toEqual([
        ["reason", "1", "100%", "0", "object", ""],
        ["reason.code", "1", "100%", "1", "number", ""],
      ]);
    expect(search(page)).toContain("type=refund");
    expect(await page.locator("#answer .key").innerText()).toBe("All 7 events were looked at.");
  });

  it("shows how late events came, and how many would be too late", async () => {
    const page = await scene.open(`/lateness?${span}&allowed=1m`);
    await expect.poll(() => total(page), soon).toBe("85.7% in time");
    expect(await total(page, "answer-2")).toBe("1");
    const classes = await cells(page, "#answer table");
    expect(classes.find(([name]) => name === "up to 6 hours")).toEqual([
      "up to 6 hours",
      "1",
      "14.3%",
      "100%",
    ]);
    await page.getByLabel("Late is later than").selectOption("6h");
    await expect.poll(() => total(page), soon).toBe("100% in time");
    expect(search(page)).toContain("allowed=6h");
  });

  it("says what was refused, with its code, and asks again when told to", async () => {
    const page = await scene.open("/active-users?range=custom&from=2025-04-30&to=2025-04-01");
    const state = page.locator("#answer .state");
    await expect.poll(() => state.innerText(), soon).toContain("invalid_query");
    expect(await state.innerText()).toContain("from: must lie before to");
    expect(scene.faults.splice(0).join()).toContain("400");
    await page.getByLabel("To", { exact: true }).fill("2025-05-01");
    await expect.poll(() => total(page), soon).toBe("–");
    await page.getByText("Nothing in this span").waitFor();
    await page.getByRole("button", { name: "Show everything" }).click();
    await expect.poll(() => total(page), soon).toBe("2 at most a day");
    await page.route("**/v1/active-users?**", (route) => route.abort());
    await page.getByRole("radio", { name: "Week" }).check();
    await page.getByText("The aggregator does not answer").waitFor();
    await page.unroute("**/v1/active-users?**");
    await page.getByRole("button", { name: "Try again" }).click();
    await expect.poll(() => total(page), soon).toBe("3 at most a week");
    scene.faults.length = 0;
  });

  it("takes span and zone along to the next page", async () => {
    const page = await scene.open(`/revenue?${span}&tz=Asia/Tokyo&interval=month`);
    await page.getByRole("link", { name: "Active users" }).click();
    await expect.poll(() => total(page), soon).toBe("2 at most a day");
    expect(search(page)).toBe(`?${span}&tz=Asia/Tokyo`);
    expect(await page.locator("nav [aria-current=page]").innerText()).toBe("Active users");
  });

  it.each([
    "active-users",
    "retention",
    "funnel",
    "paths",
    "revenue",
    "sessions",
    "segments",
    "event-types",
    "lateness",
  ])("tells on an empty store what to do first: %s", async (name) => {
    await scene.empty();
    const page = await scene.open(`/${name}`);
    await page.getByText("No events yet").first().waitFor();
    expect(await page.locator("#answer pre").innerText()).toContain("./weir import");
  });
});
