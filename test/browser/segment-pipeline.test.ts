// The clients of Segment and PostHog over the whole pipeline while answers are lost: every copy is found to be one.
import { join } from "node:path";
import { Analytics } from "@segment/analytics-node";
import type { Browser } from "playwright-core";
import { PostHog } from "posthog-node";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { type Embedded, startEmbedded } from "../support/embedded.ts";
import { until } from "../support/until.ts";
import { describeInBrowser, launch } from "./browser.ts";
import { bundled, openClientPage } from "./client-page.ts";

vi.setConfig({ maxConcurrency: 3 });

const soonMs = 60_000;
/** What a request meets: a 503, or one although everything was taken, which to the client is a lost answer. */
type Fault = "refused" | "lost";
type Send = (url: string, key: string, browser: Browser) => Promise<() => Promise<void>>;

const root = join(import.meta.dirname, "../../node_modules");

function openProxy(to: string, faults: Fault[]) {
  return Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname, search } = new URL(request.url);
      const isEvents = request.method === "POST" && !/^\/(flags|decide)\//.test(pathname);
      const fault = isEvents ? faults.shift() : undefined;
      const headers = { "access-control-allow-origin": "*", "retry-after": "1" };
      if (fault === "refused") return new Response(null, { status: 503, headers });
      const body = request.method === "POST" ? await request.arrayBuffer() : undefined;
      const answer = await fetch(to + pathname + search, {
        method: request.method,
        headers: request.headers,
        ...(body === undefined ? {} : { body }),
      });
      expect(fault === "lost" ? answer.status : 200).toBe(200);
      return fault === "lost" ? new Response(null, { status: 503, headers }) : answer;
    },
  });
}

const inPage =
  (script: () => Promise<string>, html: (url: string, key: string) => string): Send =>
  async (url, key, browser) => {
    const scripts = { "/client.js": await script() };
    const { strangers, close } = await openClientPage(browser, `<!doctype html>${html(url, key)}`, scripts);
    return async () => {
      expect(strangers).toEqual([]);
      await close();
    };
  };

const segmentPage = (options: string) => (url: string, key: string) =>
  `<script type="module">
  import { AnalyticsBrowser } from "/client.js";
  const analytics = AnalyticsBrowser.load({ writeKey: "${key}", cdnURL: "${url}" }${options});
  for (let n = 0; n < 5; n += 1) await analytics.track("before", { n });
  await analytics.identify("ada", { plan: "pro" });
  for (let n = 0; n < 5; n += 1) await analytics.track("after", { n });
</script>`;
const segmentScript = () => bundled("@segment/analytics-next/dist/pkg/index.js");
const batching = `, { integrations: { "Segment.io": { deliveryStrategy:
  { strategy: "batching", config: { size: 20, timeout: 500 } } } } }`;
const posthogPage = (url: string, key: string) => `<script src="/client.js"></script><script>
  posthog.init("${key}", { api_host: "${url}", person_profiles: "always", autocapture: false,
    capture_pageview: false, capture_pageleave: false, opt_out_useragent_filter: true });
  for (let n = 0; n < 5; n += 1) posthog.capture("before", { n });
  posthog.identify("ada", { plan: "pro" });
  for (let n = 0; n < 5; n += 1) posthog.capture("after", { n });
</script>`;
const posthogScript = (name: string) => () =>
  Bun.file(join(root, name, "dist/array.full.no-external.js")).text();

const clients: readonly [string, Send][] = [
  [
    "@segment/analytics-node",
    async (url, key) => {
      const client = new Analytics({ writeKey: key, host: url });
      const anonymousId = "visitor-1";
      for (let n = 0; n < 5; n += 1) client.track({ anonymousId, event: "before", properties: { n } });
      client.identify({ userId: "ada", anonymousId, traits: { plan: "pro" } });
      for (let n = 0; n < 5; n += 1) client.track({ userId: "ada", event: "after", properties: { n } });
      const closing = client.closeAndFlush();
      return () => closing;
    },
  ],
  [
    "posthog-node",
    async (url, key) => {
      const client = new PostHog(key, { host: url, fetchRetryDelay: 200 });
      const visitor = { distinctId: "visitor-1", properties: { $process_person_profile: false } };
      for (let n = 0; n < 5; n += 1) client.capture({ ...visitor, event: "before" });
      client.identify({ distinctId: "ada", properties: { plan: "pro", $anon_distinct_id: "visitor-1" } });
      for (let n = 0; n < 5; n += 1) client.capture({ distinctId: "ada", event: "after", properties: { n } });
      const closing = client.shutdown(20_000);
      return async () => closing;
    },
  ],
  ["@segment/analytics-next", inPage(segmentScript, segmentPage(""))],
  ["@segment/analytics-next in batches", inPage(segmentScript, segmentPage(batching))],
  ["posthog-js", inPage(posthogScript("posthog-js"), posthogPage)],
  ["posthog-js of 2025", inPage(posthogScript("posthog-js-1209"), posthogPage)],
];

describeInBrowser("over the whole pipeline, through 503 and lost answers", () => {
  let browser: Browser;
  let weir: Embedded;
  const projects = clients.map((_, at) => `shop-${at}`);
  beforeAll(async () => {
    [browser, weir] = await Promise.all([launch(), startEmbedded(projects)]);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    await weir?.close();
  });

  // Each has a project and a proxy of its own, and mostly waits for its client to try again.
  it.concurrent.each(clients.map(([name, send], at) => [name, send, projects[at]!] as const))(
    "%s stores each event once, and no copy of it is a conflict",
    async (_, send, project) => {
      const faults: Fault[] = ["refused", "lost", "lost"];
      const proxy = openProxy(weir.edge.url, faults);
      const end = await send(proxy.url.origin, weir.keyOf(project), browser);
      const rows = () =>
        weir.store
          .sql`select type, event_id, user_id, anonymous_id from events where project_id = ${project}`;
      await until(
        "every event is stored",
        soonMs,
        async () => faults.length === 0 && (await rows()).length === 11,
      );
      const sums = () => weir.store.sql`
        select sum(received)::int as received, sum(stored)::int as stored, sum(duplicate)::int as duplicate
        from ledger_counts where project_id = ${project}`;
      await until("the copies have come too", soonMs, async () => (await sums())[0]!["duplicate"] > 0);
      await end();
      const stored = await rows();
      expect(stored).toHaveLength(11);
      expect(
        ["before", "identify", "after"].map((type) => stored.filter((row) => row["type"] === type).length),
      ).toEqual([5, 1, 5]);
      expect(new Set(stored.map((row) => row["event_id"])).size).toBe(11);
      expect(await weir.store.sql`select reason from quarantine where project_id = ${project}`).toEqual([]);
      const [visitor] = stored.filter(({ type }) => type === "before").map((row) => row["anonymous_id"]);
      expect(stored.find(({ type }) => type === "identify")).toMatchObject({
        user_id: "ada",
        anonymous_id: visitor,
      });
      expect(await weir.reconcile()).toMatchObject({ ok: true, lost: 0 });
      await proxy.stop(true);
    },
    120_000,
  );
});
