// A page with a product's own browser client on it, served from an origin of its own.
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";

export interface ClientPage {
  page: Page;
  /** What the page asked of hosts that are none of ours, and what it threw; empty is right. */
  strangers: string[];
  close(): Promise<void>;
}

export const example = (name: string): Promise<string> =>
  Bun.file(join(import.meta.dirname, "../../edge/examples", name)).text();

/** A module of an installed package, with all it imports, as one script for a browser. */
export async function bundled(entry: string): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [join(import.meta.dirname, "../../node_modules", entry)],
    target: "browser",
    define: { "process.env.NODE_ENV": '"production"', "process.env": "{}" },
  });
  return outputs[0]!.text();
}

/** Opens `html` with `scripts` beside it, by their paths, and waits until it is loaded. */
export async function openClientPage(
  browser: Browser,
  html: string,
  scripts: Readonly<Record<string, string>>,
): Promise<ClientPage> {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch({ url }) {
      const script = scripts[new URL(url).pathname];
      if (script !== undefined)
        return new Response(script, { headers: { "content-type": "text/javascript" } });
      return new Response(html, { headers: { "content-type": "text/html; charset=utf-8" } });
    },
  });
  const context = await browser.newContext();
  const strangers: string[] = [];
  context.on("request", (request) => {
    if (new URL(request.url()).hostname !== "127.0.0.1") strangers.push(request.url());
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.on("pageerror", (error) => strangers.push(error.message));
  await page.goto(server.url.href);
  return {
    page,
    strangers,
    async close() {
      await context.close();
      await server.stop(true);
    },
  };
}
