// Signing in to the dashboard: each role sees what it may, is told of what it may not, and can leave.
import axe, { type AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { roles } from "../../aggregator/api/roles.ts";
import { pageFiles } from "../../aggregator/dashboard/site.ts";
import { createToken } from "../../aggregator/tokens.ts";
import { describeInBrowser } from "./browser.ts";
import { type DashboardScene, openDashboardScene, soon } from "./dashboard-scene.ts";

const settingsToken = "a-token-of-some-length";

describeInBrowser("signing in to the dashboard", () => {
  let scene: DashboardScene;
  const tokens = new Map<string, string>();

  beforeAll(async () => {
    scene = await openDashboardScene(settingsToken);
    const { store } = scene.filled;
    for (const role of roles) {
      tokens.set(role, (await createToken(store, { name: `Wall ${role}`, role }, "test")).token);
    }
    const bound = { name: "Blog", role: "viewer", project: "blog" } as const;
    tokens.set("blog", (await createToken(store, bound, "test")).token);
    const at = new Date().toISOString();
    await scene.filled.addEvents([
      { at, type: "signup", user: "ada" },
      { at, type: "purchase", user: "ada", revenue: "9.50", currency: "EUR" },
      { at, type: "signup", user: "bea", project: "blog" },
    ]);
    const log = { id: "log", topic: "weir.events" };
    await scene.filled.addBatches(log, [
      { id: "00000000-0000-7000-8000-000000000001", stored: 2 },
      { id: "00000000-0000-7000-8000-000000000002", stored: 1, project: "blog" },
    ]);
    await store.sql`
      insert into quarantined_records (log_id, partition, log_offset, reason, detail, original)
      values ('log', 0, 7, 'record_unreadable', 'no batch', '')`;
  }, 120_000);
  afterAll(() => scene?.close());
  afterEach(() => scene.clear());

  const settle = (page: Page): Promise<void> =>
    expect
      .poll(() => page.locator("[aria-busy=true]:visible, #status[data-state=loading]").count(), soon)
      .toBe(0);

  async function enter(page: Page, token: string): Promise<void> {
    await page.locator("#token[open]").waitFor(soon);
    await page.getByLabel("Token", { exact: true }).fill(token);
    await page.keyboard.press("Enter");
  }

  /** Opens a page as whoever has the token. */
  async function openAs(name: string, path = "/"): Promise<Page> {
    const page = await scene.open(path);
    await enter(page, tokens.get(name)!);
    await page.locator("#token").waitFor({ ...soon, state: "hidden" });
    await settle(page);
    return page;
  }

  /** What the browser complained of beside the first questions, asked before anybody signed in. */
  const faults = (): string[] => scene.faults.filter((fault) => !fault.includes("401"));

  async function judge(page: Page): Promise<string[]> {
    await page.evaluate(axe.source);
    const found = (await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")) as AxeResults;
    return found.violations.flatMap(({ id, help, nodes }) =>
      nodes.map(({ html }) => `${id}: ${help} ${html}`),
    );
  }

  it("says what each role sees, refuses a wrong token in its words, and takes a right one", async () => {
    const page = await scene.open("/");
    await page.locator("#token[open]").waitFor(soon);
    for (const role of roles) expect(await page.locator("#token").textContent()).toContain(role);
    expect(await judge(page)).toEqual([]);
    await enter(page, `${tokens.get("viewer")}x`);
    await page.getByText("That token was not accepted.").waitFor(soon);
    expect(await judge(page)).toEqual([]);
    const urls: string[] = [];
    page.on("request", (request) => urls.push(request.url()));
    await enter(page, tokens.get("viewer")!);
    await page.locator("#status[data-state=live]").waitFor(soon);
    expect(await page.locator("#token").isVisible()).toBe(false);
    expect(await page.locator("#asker-name").textContent()).toBe("Wall viewer · viewer");
    expect(urls.join()).not.toContain(tokens.get("viewer"));
    expect(await page.evaluate(() => localStorage.length + document.cookie.length)).toBe(0);
    expect(faults()).toEqual([]);
  });

  it("shows a viewer every page of figures whole, and asks nothing that a viewer may not", async () => {
    const page = await openAs("viewer");
    expect(await page.getByRole("link", { name: "Quarantine" }).isVisible()).toBe(false);
    await page.locator("#events canvas").waitFor(soon);
    await page.locator("#tile-events").getByText("3", { exact: true }).waitFor(soon);
    expect(await page.locator(".newest").isVisible()).toBe(false);
    for (const { path, needs } of pageFiles) {
      if (needs !== undefined) continue;
      const query = path === "/funnel" ? "?steps=signup,purchase" : "";
      await page.goto(new URL(`${path}${query}`, page.url()).href);
      await page.locator("#status[data-state=live]").waitFor(soon);
      await settle(page);
      expect([path, await page.locator("[role=alert]:visible").allTextContents()]).toEqual([path, []]);
    }
    await page.goto(new URL("/", page.url()).href);
    await settle(page);
    expect(await judge(page)).toEqual([]);
    await page.setViewportSize({ width: 390, height: 800 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    expect(faults()).toEqual([]);
  }, 120_000);

  it("tells a viewer in words what the quarantine would need", async () => {
    const page = await openAs("viewer", "/quarantine");
    const said = "Not allowed. This needs the role analyst; this token has the role viewer.";
    await page.getByText(said).waitFor(soon);
    expect(await page.locator("#status-text").textContent()).toBe("Not allowed");
    expect(await judge(page)).toEqual([]);
    expect(faults().filter((fault) => !fault.includes("403"))).toEqual([]);
  });

  it("shows an analyst people and the quarantine, and offers no change", async () => {
    const page = await openAs("analyst");
    await page.locator(".newest").getByText("bea").waitFor(soon);
    await page.getByRole("link", { name: "Quarantine" }).click();
    await page.getByRole("button", { name: /^Show event/ }).click();
    await page.locator("#detail[open]").waitFor(soon);
    for (const name of ["Retry", "Discard"]) {
      expect(await page.getByRole("button", { name, exact: true }).count()).toBe(0);
    }
    expect(await page.locator("input[type=checkbox]:visible").count()).toBe(0);
    expect(await judge(page)).toEqual([]);
    expect(faults()).toEqual([]);
  });

  it("lets an admin discard, under the token's name", async () => {
    const page = await openAs("admin", "/quarantine");
    await page.getByRole("button", { name: /^Show event/ }).click();
    await page.locator("#detail-discard").click();
    await page.getByLabel("Why").fill("noise");
    await page.keyboard.press("Enter");
    await page.locator("#notice[data-state=good]").waitFor(soon);
    const rows = await scene.filled.store.sql`select actor from audit where action = 'discard'`;
    expect(rows.map(({ actor }) => actor)).toEqual(["api Wall admin"]);
    expect(faults()).toEqual([]);
  });

  it("shows the one project of a token that has no other", async () => {
    const page = await openAs("blog");
    expect(await page.locator("#asker-name").textContent()).toBe("Blog · viewer of blog");
    await page.locator("#events canvas").waitFor(soon);
    await page.locator("#tile-events").getByText("1", { exact: true }).waitFor(soon);
    for (const id of ["#project-pick", "#prove", "nav [href='/alerts']", "nav [href='/quarantine']"]) {
      expect([id, await page.locator(id).isVisible()]).toEqual([id, false]);
    }
    expect(faults()).toEqual([]);
  });

  it("forgets who signs out", async () => {
    const page = await openAs("admin");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.locator("#token[open]").waitFor(soon);
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
    expect(await page.locator("#token-fault").isVisible()).toBe(false);
    expect(await page.locator("#asker").isVisible()).toBe(false);
    await enter(page, settingsToken);
    await page.locator("#status[data-state=live]").waitFor(soon);
    expect(await page.locator("#asker-name").textContent()).toBe("WEIR_API_TOKEN · admin");
  });
});
