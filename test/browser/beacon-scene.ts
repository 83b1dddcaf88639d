// A site with the beacon in a real browser, behind a failing proxy the real pipeline, and what it stored.
import type { Browser, BrowserContext, Page } from "playwright-core";
import { type Embedded, startEmbedded } from "../support/embedded.ts";
import { until } from "../support/until.ts";
import { type FaultProxy, openProxy } from "./beacon-proxy.ts";

/** What the store says about one project. */
export interface Stored {
  /** Rows of the type `act`, by the number in their payload. */
  rows: number;
  numbers: number[];
  all: {
    type: string;
    session_id: string;
    anonymous_id: string;
    user_id: string | null;
    payload: Record<string, unknown>;
    context: Record<string, unknown>;
    seq: number;
    stream_id: string;
    flags: number;
    event_ms: number;
  }[];
  gap: number;
  declaredLost: number;
  expected: number;
  seen: number;
  quarantined: number;
}

export interface Scene {
  proxy: FaultProxy;
  context: BrowserContext;
  site: string;
  /** Opens a page of the site; `attributes` are the script tag's beyond key and host. */
  open(path?: string): Promise<Page>;
  /** Waits until nothing is pending in the browser and everything the edge got has its outcome. */
  settle(pages?: readonly Page[], msMax?: number): Promise<void>;
  stored(): Promise<Stored>;
  close(): Promise<void>;
}

export interface SceneOptions {
  /** Attributes of the script tag beyond `data-key`. */
  attributes?: string;
  /** Of the page's head, before the beacon. */
  head?: string;
  body?: string;
  /** A whole page instead, from the proxy's address and the project's key. */
  page?(host: string, key: string): string;
  context?: Parameters<Browser["newContext"]>[0];
}

export const soonMs = 45_000;

/** One site of its own: project, proxy, browser profile. */
export async function openScene(
  browser: Browser,
  embedded: Embedded,
  project: string,
  options: SceneOptions = {},
): Promise<Scene> {
  const proxy = await openProxy(embedded.edge.url);
  const key = embedded.keyOf(project);
  const html = (): string =>
    options.page?.(proxy.url, key) ??
    `<!doctype html><title>A shop</title>
    <script>window.weir=window.weir||function(){(weir.q=weir.q||[]).push(arguments)}</script>${options.head ?? ""}
    <script async src="${proxy.url}/weir.js" data-key="${key}" ${options.attributes ?? ""}></script>
    ${options.body ?? "<h1>A shop</h1>"}`;
  const pages = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ url }) =>
      new URL(url).pathname === "/favicon.ico"
        ? new Response(null, { status: 204 })
        : new Response(html(), { headers: { "content-type": "text/html; charset=utf-8" } }),
  });
  const context = await browser.newContext(options.context ?? {});
  const faults: string[] = [];
  context.on("weberror", (error) => faults.push(error.error().message));
  const site = `http://127.0.0.1:${pages.port}`;
  return {
    proxy,
    context,
    site,
    async open(path = "/") {
      const page = await context.newPage();
      await page.goto(site + path);
      await page.waitForFunction(() => (globalThis as { weir?: { isLoaded?: boolean } }).weir?.isLoaded);
      return page;
    },
    async settle(among = context.pages(), msMax = soonMs) {
      await until("the browser's queues are empty", msMax, async () => {
        const left = await Promise.all(among.map((page) => page.evaluate(pendingNames)));
        return left.flat().length === 0;
      });
      await until("every answer is given", msMax, () => proxy.seen.every(({ status }) => status !== -1));
      await until("everything has an outcome", msMax, async () => {
        const [row] = await embedded.store.sql`
          select coalesce(sum(received), 0)::int as received from ledger where project_id = ${project}`;
        return row!["received"] === proxy.passed();
      });
    },
    stored: () => readStored(embedded, project),
    async close() {
      await context.close();
      await proxy.close();
      await pages.stop(true);
      if (faults.length > 0) throw new Error(`the page saw errors: ${faults.join("; ")}`);
    },
  };
}

/** The pipeline, with a project for every name. */
export const openPipeline = (projects: readonly string[]): Promise<Embedded> => startEmbedded(projects);

/** Tracks `count` events of the type `act`, numbered from `from` on; runs in the page. */
export function trackActs(page: Page, count: number, from = 0): Promise<void> {
  return page.evaluate(
    ([many, first]) => {
      const { weir } = globalThis as unknown as { weir(...command: unknown[]): void };
      for (let at = 0; at < many!; at += 1) weir("track", "act", { n: first! + at });
    },
    [count, from],
  );
}

/**
 * Tells a page that it is hidden or shown. A browser without a screen has no window that could be covered,
 * so this is the one thing here that is played; that a page is left is real everywhere.
 */
export const setVisibility = (page: Page, state: "hidden" | "visible"): Promise<void> =>
  page.evaluate((wanted) => {
    Object.defineProperty(document, "hidden", { value: wanted === "hidden", configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, state);

/** The names of what waits in the page's local storage; runs in the page. */
export const pendingNames = (): string[] => {
  try {
    return Object.keys(localStorage).filter((name) => /^weir:.*:q:/.test(name));
  } catch {
    return [];
  }
};

async function readStored({ store }: Embedded, project: string): Promise<Stored> {
  const all = await store.sql`
    select type, session_id, anonymous_id, user_id, payload, context, seq::int, stream_id, flags,
      (extract(epoch from event_time) * 1000)::float8 as event_ms
    from events where project_id = ${project} order by stream_id, seq`;
  const [streams] = await store.sql`
    select coalesce(sum(gap), 0)::int as gap, coalesce(sum(declared_lost), 0)::int as declared_lost,
      coalesce(sum(expected), 0)::int as expected, coalesce(sum(seen), 0)::int as seen
    from stream_counts where project_id = ${project}`;
  const [kept] = await store.sql`
    select count(*)::int as quarantined from quarantine where project_id = ${project}`;
  const rows = [...all] as unknown as Stored["all"];
  const acts = rows.filter(({ type }) => type === "act");
  return {
    rows: acts.length,
    numbers: [...new Set(acts.map(({ payload }) => Number(payload["n"])))].sort((a, b) => a - b),
    all: rows,
    gap: streams!["gap"],
    declaredLost: streams!["declared_lost"],
    expected: streams!["expected"],
    seen: streams!["seen"],
    quarantined: kept!["quarantined"],
  };
}
