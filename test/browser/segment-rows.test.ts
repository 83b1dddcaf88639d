// The table "point your client here": what each row says is run by the real client as it stands there.
import { join } from "node:path";
import { Analytics } from "@segment/analytics-node";
import { PostHog } from "posthog-node";
import { expect, it } from "vitest";
import { openScene } from "../edge/dialect/scene.ts";
import { until } from "../support/until.ts";
import { describeInBrowser, launch } from "./browser.ts";
import { bundled, openClientPage } from "./client-page.ts";

const root = join(import.meta.dirname, "../..");
const rows = new Map(
  [
    ...(await Bun.file(join(root, "edge/examples/README.md")).text()).matchAll(
      /^\| (\w+, \w+) \| `(.+)` \|$/gm,
    ),
  ].map(([, client, code]) => [client!, code!]),
);

type Send = (code: string) => Promise<void>;

const server: Readonly<Record<string, Send>> = {
  "PostHog, server": async (code) => {
    const client = new Function("PostHog", `return ${code}`)(PostHog) as PostHog;
    for (let n = 0; n < 10; n += 1) client.capture({ distinctId: "ada", event: "seen", properties: { n } });
    await client.shutdown(10_000);
  },
  "Segment, server": async (code) => {
    const client = new Function("Analytics", `return ${code}`)(Analytics) as Analytics;
    for (let n = 0; n < 10; n += 1) client.track({ userId: "ada", event: "seen", properties: { n } });
    await client.closeAndFlush();
  },
};

const inBrowser: Readonly<Record<string, { script: () => Promise<string>; page: (code: string) => string }>> =
  {
    "PostHog, browser": {
      script: () => Bun.file(join(root, "node_modules/posthog-js/dist/array.full.no-external.js")).text(),
      // A robot's browser is let in by an option that people's need not have.
      page: (code) => `<script src="/client.js"></script><script>
      const init = posthog.init.bind(posthog);
      posthog.init = (key, options) => init(key, { ...options, opt_out_useragent_filter: true });
      ${code};
      for (let n = 0; n < 10; n += 1) posthog.capture("seen", { n });
    </script>`,
    },
    "Segment, browser": {
      script: () => bundled("@segment/analytics-next/dist/pkg/index.js"),
      page: (code) => `<script type="module">
      import { AnalyticsBrowser } from "/client.js";
      const analytics = ${code};
      for (let n = 0; n < 10; n += 1) analytics.track("seen", { n });
    </script>`,
    },
  };

async function seen(code: string, send: Send): Promise<void> {
  const scene = await openScene();
  await send(code.replace("KEY", scene.writeKey).replace("https://edge.example", scene.url));
  const count = (): number => scene.stored().filter(({ type }) => type === "seen").length;
  await until("ten events are stored", 20_000, () => count() === 10);
  expect(scene.refusals()).toEqual([]);
  await scene.close();
}

describeInBrowser("each row of the table", () => {
  it("has a client here that runs it", () => {
    expect([...rows.keys()].sort()).toEqual([...Object.keys(server), ...Object.keys(inBrowser)].sort());
  });

  it.each(Object.entries(server))("%s", (client, send) => seen(rows.get(client)!, send), 30_000);

  it.each(Object.entries(inBrowser))(
    "%s",
    async (client, { script, page }) => {
      const browser = await launch();
      const scripts = { "/client.js": await script() };
      await seen(rows.get(client)!, async (code) => {
        const { page: opened, strangers } = await openClientPage(
          browser,
          `<!doctype html>${page(code)}`,
          scripts,
        );
        await opened.waitForLoadState();
        expect(strangers).toEqual([]);
      });
      await browser.close();
    },
    60_000,
  );
});
