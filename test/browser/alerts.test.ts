// The page of the alerts in a real browser, and the overview's line, over the real API and an embedded store.
// biome-ignore-all lint/performance/useDomNodeTextContent: what a person sees is the text as it is laid out
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { giveAlerts } from "../aggregator/alert/given-alerts.ts";
import { describeInBrowser } from "./browser.ts";
import { type DashboardScene, openDashboardScene, soon } from "./dashboard-scene.ts";

describeInBrowser("the page of the alerts", () => {
  let scene: DashboardScene;
  beforeAll(async () => {
    scene = await openDashboardScene();
    await scene.filled.addEvents([{ at: new Date().toISOString() }]);
  }, 120_000);
  afterAll(() => scene?.close());
  beforeEach(() => scene.filled.store.sql`truncate alert_states, alert_events, alert_deliveries`);
  afterEach(async () => {
    const faults = [...scene.faults];
    await scene.clear();
    expect(faults).toEqual([]);
  });

  const cells = (page: Page, body: string): Promise<string[][]> =>
    page
      .locator(`#${body} tr`)
      .evaluateAll((rows) =>
        rows.map((row) => [...(row as HTMLTableRowElement).cells].map((cell) => cell.innerText.trim())),
      );

  it("says so where no rule has been judged yet", async () => {
    const page = await scene.open("/alerts");
    await page.locator("#empty").waitFor();
    expect(await page.locator("#verdict").innerText()).toBe("No rules yet");
    expect(await page.locator("#history-card").isHidden()).toBe(true);
    expect(await page.locator("nav [aria-current=page]").innerText()).toBe("Alerts");
  });

  it("shows what fires first, what was found of each, and what became of it at the webhook", async () => {
    await giveAlerts(scene.filled.store);
    const page = await scene.open("/alerts");
    await page.locator("#verdict[data-state=bad]").waitFor();
    expect(await page.locator("#verdict").innerText()).toBe("1 firing");
    const rules = await cells(page, "rules");
    expect(rules.map(([state, rule]) => `${state} ${rule!.split("\n")[0]}`)).toEqual([
      "firing purchases_stopped page",
      "pending soon_bad",
      "resolved late_again",
      "ok calm_rule",
      "ok unsure_rule",
    ]);
    expect(rules[0]![2]).toBe("0 events in 10m, below 5\n1 not at the webhook yet");
    expect((await cells(page, "history")).map((row) => row.slice(1))).toEqual([
      ["firing", "purchases_stopped", "0 events in 10m", "waiting, tried once: status 500"],
      ["resolved", "late_again", "9 events in 10m", "delivered"],
      ["firing", "late_again", "4 events in 10m", "–"],
    ]);
    await scene.filled.store.sql`update alert_states set state = 'resolved' where state = 'firing'`;
    await page.locator("#verdict[data-state=waiting]").waitFor();
    expect(await page.locator("#verdict").innerText()).toBe("1 pending");
  });

  it("shows more of what happened when told to", async () => {
    await scene.filled.store.sql`
      insert into alert_events (id, rule, number, state, at, value, detail, body)
      select gen_random_uuid(), 'one', n, case n % 2 when 1 then 'firing' else 'resolved' end,
        now() - make_interval(mins => 100 - n), n, '<b>' || n || '</b>', '{}'
      from generate_series(1, 25) as n`;
    const page = await scene.open("/alerts");
    await expect.poll(() => page.locator("#history tr").count(), soon).toBe(20);
    await page.locator("#more").press("Enter");
    await expect.poll(() => page.locator("#history tr").count(), soon).toBe(25);
    expect((await cells(page, "history"))[0]![3]).toBe("<b>25</b>");
    expect(await page.locator("#more").isHidden()).toBe(true);
  });

  it("is told of on the overview while something fires", async () => {
    await giveAlerts(scene.filled.store);
    const page = await scene.open("/");
    const line = page.getByRole("link", { name: "An alert fires: purchases_stopped" });
    await line.waitFor();
    await scene.filled.store.sql`update alert_states set state = 'resolved' where state = 'firing'`;
    await expect.poll(() => line.isHidden(), soon).toBe(true);
  });
});
