// The dashboard's pages in a real browser: what each asks of the API when it is opened, and when it first paints.
import type { Browser, BrowserContext, Page } from "playwright-core";
import { until } from "../support/until.ts";

const loadedMsMax = 120_000;
/** Nothing new is asked for so long: the page has all it asks for by itself. */
const quietMs = 2_000;
const unsettled = "[aria-busy=true], #status[data-state=loading]";

/** Opens a page with nothing kept from before, and answers the paths and queries below /v1 that it asks. */
export async function watchAsked(browser: Browser, url: string): Promise<string[]> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const asked = new Set<string>();
    let [open, newestAt] = [0, performance.now()];
    const isApi = (address: string): boolean => new URL(address).pathname.startsWith("/v1/");
    page.on("request", (request) => {
      if (isApi(request.url())) open += 1;
    });
    page.on("response", (response) => {
      if (!isApi(response.url())) return;
      open -= 1;
      // A stream has no end to measure: what it begins with is asked for as a question of its own.
      const isStream = response.headers()["content-type"]?.startsWith("text/event-stream") === true;
      const { pathname, search } = new URL(response.url());
      if (!response.ok()) throw new Error(`${pathname}${search} answered ${response.status()}`);
      if (isStream || asked.has(pathname + search)) return;
      asked.add(pathname + search);
      newestAt = performance.now();
    });
    await page.goto(url);
    await until(`${url} shows all it has`, loadedMsMax, async () => {
      const isQuiet = open === 0 && performance.now() - newestAt > quietMs;
      return isQuiet && asked.size > 0 && (await page.locator(unsettled).count()) === 0;
    });
    return [...asked];
  } finally {
    await context.close();
  }
}

/** Milliseconds from the start of navigation to the first text or image, first in a new profile, then again in it. */
export async function timePaint(browser: Browser, url: string): Promise<{ cold: number; warm: number }> {
  const context = await browser.newContext();
  try {
    return { cold: await paint(context, url), warm: await paint(context, url) };
  } finally {
    await context.close();
  }
}

async function paint(context: BrowserContext, url: string): Promise<number> {
  const page: Page = await context.newPage();
  try {
    await page.goto(url);
    return await page.evaluate(
      () =>
        new Promise<number>((resolve) => {
          const look = (entries: PerformanceEntry[]): void => {
            const found = entries.find(({ name }) => name === "first-contentful-paint");
            if (found !== undefined) resolve(found.startTime);
          };
          new PerformanceObserver((list) => look(list.getEntries())).observe({
            type: "paint",
            buffered: true,
          });
        }),
    );
  } finally {
    await page.close();
  }
}
