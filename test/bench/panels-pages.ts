// The dashboard's pages in a real browser: what each asks of the API when it is opened, and when it first paints.
import type { Browser, Page, Request } from "playwright-core";
import { until } from "../support/until.ts";

const loadedMsMax = 120_000;
/** Nothing new is asked for so long: the page has all it asks for by itself. */
const quietMs = 2_000;
const unsettled = "[aria-busy=true]:visible, #status[data-state=loading]";

/** Opens a page with nothing kept from before, and answers the paths and queries below /v1 that it asks. */
export async function watchAsked(browser: Browser, url: string): Promise<string[]> {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    const [asked, open, faults] = [new Set<string>(), new Set<Request>(), [] as string[]];
    let newestAt = performance.now();
    const isApi = (address: string): boolean => new URL(address).pathname.startsWith("/v1/");
    page.on("request", (request) => {
      if (isApi(request.url())) open.add(request);
    });
    page.on("requestfailed", (request) => open.delete(request));
    page.on("response", (response) => {
      if (!isApi(response.url())) return;
      open.delete(response.request());
      const { pathname, search } = new URL(response.url());
      if (!response.ok()) faults.push(`${pathname}${search} answered ${response.status()}`);
      // A stream has no end to measure: what it begins with is asked for as a question of its own.
      const isStream = response.headers()["content-type"]?.startsWith("text/event-stream") === true;
      if (isStream || asked.has(pathname + search)) return;
      asked.add(pathname + search);
      newestAt = performance.now();
    });
    await page.goto(url);
    await until(`${url} shows all it has`, loadedMsMax, async () => {
      if (faults.length > 0) throw new Error(faults.join());
      const isQuiet = open.size === 0 && performance.now() - newestAt > quietMs;
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
    const page = await context.newPage();
    return { cold: await paint(page, url), warm: await paint(page, url) };
  } finally {
    await context.close();
  }
}

async function paint(page: Page, url: string): Promise<number> {
  await page.goto(url, { waitUntil: "commit" });
  return page.evaluate(
    () =>
      new Promise<number>((resolve) => {
        const look = (entries: PerformanceEntry[]): void => {
          const found = entries.find(({ name }) => name === "first-contentful-paint");
          if (found !== undefined) resolve(found.startTime);
        };
        new PerformanceObserver((list) => look(list.getEntries())).observe({ type: "paint", buffered: true });
      }),
  );
}
