// A store with a chosen past, the API over it, and pages of the dashboard on it.
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { createApi } from "../../aggregator/api/app.ts";
import { modelTables } from "../../aggregator/model/models.ts";
import { systemClock } from "../../shared/clock.ts";
import { memoryLog } from "../../shared/log/memory.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { type FilledStore, filledStore } from "../aggregator/read/filled-store.ts";
import { launch } from "./browser.ts";

/** A deadline for what has none of its own, generous since suites share the machine. */
export const soon = { timeout: 20_000 };

export interface DashboardScene {
  readonly filled: FilledStore;
  /** What a browser or the API complained of. */
  readonly faults: string[];
  open(path: string, options?: BrowserContextOptions): Promise<Page>;
  /** Takes away all that is stored. */
  empty(): Promise<void>;
  /** Closes the pages that are open and forgets the faults. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

export async function openDashboardScene(token?: string): Promise<DashboardScene> {
  const [browser, filled]: [Browser, FilledStore] = await Promise.all([launch(), filledStore()]);
  const log = memoryLog(new Map(), { topic: "weir.events" });
  await log.create();
  const faults: string[] = [];
  const app = createApi({
    store: filled.store,
    reader: await log.reader(),
    token,
    edgeSecrets: [],
    clock: systemClock,
    meter: silentMeter,
    logger: { ...silentLogger, error: (code, fields) => faults.push(`${code} ${JSON.stringify(fields)}`) },
    ready: async () => {},
  });
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 30, fetch: app.fetch });
  return {
    filled,
    faults,
    async open(path, options = {}) {
      const page = await (await browser.newContext(options)).newPage();
      page.setDefaultTimeout(soon.timeout);
      page.on("pageerror", (error) => faults.push(error.message));
      page.on("console", (said) => {
        if (["error", "warning"].includes(said.type())) faults.push(said.text());
      });
      await page.goto(new URL(path, server.url).href);
      return page;
    },
    async empty() {
      await filled.store.sql.begin(async (tx) => {
        for (const table of ["events", ...modelTables]) await tx`delete from ${tx(table)}`;
      });
    },
    async clear() {
      await Promise.all(browser.contexts().map((context) => context.close()));
      faults.length = 0;
    },
    async close() {
      await browser.close();
      await server.stop(true);
      await filled.close();
    },
  };
}
