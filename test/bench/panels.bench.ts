// The dashboard over the whole retail file in an embedded store: each request of its pages, their first paint, their bytes.
import type { Browser } from "playwright-core";
import { pagePaths } from "../../aggregator/dashboard/pages.ts";
import { pageFiles } from "../../aggregator/dashboard/site.ts";
import { importFile } from "../../edge/command/import.ts";
import { settled } from "../answers/settled.ts";
import { findChromium, launch } from "../browser/browser.ts";
import { type Embedded, startEmbedded } from "../support/embedded.ts";
import { retail } from "../support/retail.ts";
import { type Add, type Bench, percentile } from "./bench.ts";
import { timePaint, watchAsked } from "./panels-pages.ts";
import { settle } from "./store-sides.ts";

const asks = 30;
const opens = 5;
const panelGoalMs = 300;
const paintGoalMs = 1_000;
const bytesGoal = 120 * 1024;

/** What no page asks by itself: content over the whole file, of all types. */
const alsoAsked = ["type", "property"].map((by) => `/v1/cardinality?from=2010-12-01&to=2011-12-09&by=${by}`);

export default {
  name: "panels",
  needs: [],
  async run({ add, say }) {
    const lacking =
      process.env["WEIR_TEST_DATA"] === undefined
        ? "name the folder of the retail file in WEIR_TEST_DATA"
        : findChromium() === undefined
          ? "it needs Chromium"
          : undefined;
    if (lacking !== undefined) {
      console.error(`NOT RUN: panels (${lacking})`);
      process.exitCode = 1;
      return;
    }
    const { file, facts } = retail();
    const weir: Embedded = await startEmbedded(["default"]);
    const browser = await launch();
    try {
      say(`${facts.rows} events are imported and folded`);
      const { stored } = await importFile(file, { map: [] }, weir.importDeps("default"));
      if (stored !== facts.rows) throw new Error(`${stored} of ${facts.rows} events were stored`);
      await settled(weir.aggregatorUrl);
      await settle(weir.store);
      await measure(weir.aggregatorUrl, browser, add, say);
    } finally {
      await browser.close();
      await weir.close();
    }
  },
} satisfies Bench;

/** Measures the dashboard of the aggregator at `url`. */
export async function measure(
  url: string,
  browser: Browser,
  add: Add,
  say: (text: string) => void,
): Promise<void> {
  await weighFiles(url, add);
  await paintPages(url, browser, add, say);
  await askPanels(url, browser, add, say);
}

async function weighFiles(url: string, add: Add): Promise<void> {
  let bytes = 0;
  for (const path of pagePaths) {
    const headers = { "accept-encoding": "gzip" };
    // Bun's own option: the body as it came.
    const response = await fetch(new URL(path, url), { headers, decompress: false } as RequestInit);
    if (response.headers.get("content-encoding") !== "gzip") throw new Error(`${path} is not packed`);
    bytes += (await response.arrayBuffer()).byteLength;
  }
  const ok = bytes <= bytesGoal;
  add(`${pagePaths.length} files of the dashboard, packed`, bytes / 1024, "KB", { goal: "≤ 120", ok });
}

async function paintPages(url: string, browser: Browser, add: Add, say: (text: string) => void) {
  say(`${opens} times each page is opened in a new profile, and again in it`);
  const times = new Map(pageFiles.map(({ name }) => [name, { cold: [] as number[], warm: [] as number[] }]));
  for (let at = 0; at < opens; at += 1) {
    for (const { name, path } of pageFiles) {
      const { cold, warm } = await timePaint(browser, new URL(path, url).href);
      times.get(name)!.cold.push(cold);
      times.get(name)!.warm.push(warm);
    }
  }
  for (const kind of ["cold", "warm"] as const) {
    for (const [name, page] of times) {
      const slowest = Math.max(...page[kind]);
      const judged = { goal: `≤ ${paintGoalMs}`, ok: slowest <= paintGoalMs };
      add(`first paint of ${name}, ${kind}, slowest of ${opens}`, slowest, "ms", judged);
    }
  }
}

async function askPanels(url: string, browser: Browser, add: Add, say: (text: string) => void) {
  const panels = new Map<string, string>();
  for (const { name, path } of pageFiles) {
    say(`what ${name} asks`);
    const asked = await watchAsked(browser, new URL(path, url).href);
    // What several pages ask is told of with the first.
    for (const each of asked) if (!panels.has(each)) panels.set(each, name);
  }
  for (const each of alsoAsked) panels.set(each, "the whole file");
  say(`${panels.size} requests are asked ${asks} times in turn, without If-None-Match`);
  const times = new Map([...panels.keys()].map((path) => [path, [] as number[]]));
  // The first round warms up.
  for (let round = 0; round <= asks; round += 1) {
    for (const [path, spent] of times) {
      const begun = performance.now();
      const response = await fetch(new URL(path, url));
      await response.arrayBuffer();
      if (response.status !== 200) throw new Error(`${path} answered ${response.status}`);
      if (round > 0) spent.push(performance.now() - begun);
    }
  }
  for (const [path, spent] of times) {
    const name = `${panels.get(path)}: ${nameOf(path)}`;
    const p95 = percentile(spent, 0.95);
    add(`${name}, p50`, percentile(spent, 0.5), "ms");
    add(`${name}, p95`, p95, "ms", { goal: `≤ ${panelGoalMs}`, ok: p95 <= panelGoalMs });
  }
}

/** A request as a person tells it from others: its span apart, which all of a page's share. */
function nameOf(path: string): string {
  const { pathname, searchParams } = new URL(path, "http://weir");
  for (const name of ["tz", "to"]) searchParams.delete(name);
  return `${pathname.slice(4)} ${decodeURIComponent(searchParams.toString())}`.trim();
}
