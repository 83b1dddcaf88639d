// The beacon at its bounds and in browsers that lack something: what is lost is declared, nothing is thrown.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { Embedded } from "../support/embedded.ts";
import { until } from "../support/until.ts";
import {
  openPipeline,
  openScene,
  type Scene,
  type SceneOptions,
  type Stored,
  trackActs,
} from "./beacon-scene.ts";
import { describeInBrowser, launch } from "./browser.ts";

vi.setConfig({ maxConcurrency: 3 });

const projects = Array.from({ length: 20 }, (_, at) => `l${at}`);
const quiet = 'data-auto="off"';
const held = { kind: "status", status: 503 } as const;
const pass = { kind: "pass" } as const;

describeInBrowser("the beacon at its bounds", () => {
  let browser: Browser;
  let embedded: Embedded;
  const free = [...projects];
  beforeAll(async () => {
    [browser, embedded] = await Promise.all([launch(), openPipeline(projects)]);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await embedded?.close();
  }, 60_000);

  async function visitSite(options: SceneOptions, act: (scene: Scene) => Promise<unknown>): Promise<Stored> {
    const scene = await openScene(browser, embedded, free.pop()!, options);
    try {
      await act(scene);
      await scene.settle();
      expect(scene.proxy.seen.map(({ method }) => method)).not.toContain("OPTIONS");
      for (const { bytes } of scene.proxy.seen) expect(bytes).toBeLessThan(60_000);
      return await scene.stored();
    } finally {
      await scene.close();
    }
  }

  const actsIn = ({ proxy }: Scene): number =>
    proxy.seen
      .filter(({ status }) => status === 202)
      .reduce((sum, { events }) => sum + events.filter(({ type }) => type === "act").length, 0);
  const arrived = (scene: Scene, count: number): Promise<void> =>
    until(`${count} events arrived`, 30_000, () => actsIn(scene) >= count);

  // Each has a site, a proxy and a profile of its own; what is timed runs alone.
  it.concurrent("drops what the edge refuses for good, and declares it", async () => {
    const stored = await visitSite({ attributes: quiet }, async (scene) => {
      scene.proxy.fault = { kind: "status", status: 403 };
      const page = await scene.open();
      await trackActs(page, 10);
      await until("it was refused", 10_000, () => scene.proxy.seen.length > 0);
      scene.proxy.fault = pass;
      await page.waitForFunction(() => Object.keys(localStorage).every((name) => !name.includes(":q:")));
      await trackActs(page, 10, 10);
    });
    expect(stored).toMatchObject({ rows: 10, declaredLost: 10, gap: 0, expected: 20, seen: 10 });
  });

  it.concurrent("declares an event that cannot be written or is too large, and goes on", async () => {
    const stored = await visitSite({ attributes: quiet }, async (scene) => {
      const page = await scene.open();
      await page.evaluate(() => {
        const { weir } = globalThis as unknown as { weir(...words: unknown[]): void };
        const circular: Record<string, unknown> = {};
        circular["self"] = circular;
        weir("track", "act", circular);
        weir("track", "act", { big: 1n });
        weir("track", "act", { text: "é".repeat(40_000) });
        weir("track", "act", {
          get wrong() {
            throw new Error("the page's own");
          },
        });
        weir("track", "act", { n: 0 });
      });
    });
    expect(stored).toMatchObject({ rows: 1, declaredLost: 4, gap: 0, expected: 5 });
  });

  it.concurrent("takes anything a page may give it without an error, and keeps what is no event apart", async () => {
    const stored = await visitSite({ attributes: quiet }, async (scene) => {
      const page = await scene.open();
      await page.evaluate(() => {
        const { weir } = globalThis as unknown as { weir(...words: unknown[]): void };
        weir();
        weir("nonsense", 1);
        weir("track");
        weir("track", "act", "no object");
        weir("track", "act", undefined, 7);
        weir("identify");
        weir("consent", "perhaps");
        weir("init");
        weir(null);
        weir("track", Symbol("s"));
      });
    });
    expect(stored.gap).toBe(0);
    expect(stored.seen).toBe(stored.expected);
    expect(stored.quarantined).toBe(1);
  });

  it.concurrent("packs large requests, and sends large queues in parts", async () => {
    const stored = await visitSite({ attributes: quiet }, async (scene) => {
      const page = await scene.open();
      await page.evaluate(() => {
        const { weir } = globalThis as unknown as { weir(...words: unknown[]): void };
        for (let n = 0; n < 300; n += 1) weir("track", "act", { n, text: "some words ".repeat(40) });
      });
      await arrived(scene, 300);
      expect(scene.proxy.seen.length).toBeGreaterThan(2);
      expect(scene.proxy.seen.every(({ isPacked }) => isPacked)).toBe(true);
    });
    expect(stored).toMatchObject({ rows: 300, gap: 0, declaredLost: 0 });
  });

  // What a browser lacks is taken away before the beacon comes.
  const lacking: readonly [name: string, head: string, expected: Partial<Stored>][] = [
    [
      "local storage",
      "Object.defineProperty(window,'localStorage',{get(){throw new DOMException('no','SecurityError')}})",
      {},
    ],
    ["local storage, as in some web views", "Object.defineProperty(window,'localStorage',{value:null})", {}],
    ["Web Locks", "Object.defineProperty(navigator,'locks',{value:undefined})", {}],
    ["CompressionStream", "delete window.CompressionStream", {}],
    ["randomUUID", "delete Crypto.prototype.randomUUID", {}],
    ["AbortSignal.timeout", "delete AbortSignal.timeout", {}],
  ];
  it.concurrent.each(lacking)("delivers without %s", async (lack, script) => {
    const stored = await visitSite(
      { attributes: quiet, head: `<script>${script}</script>` },
      async (scene) => {
        scene.proxy.fault = held;
        const page = await scene.open();
        await trackActs(page, 15);
        await until("it was refused", 10_000, () => scene.proxy.seen.length > 0);
        scene.proxy.fault = pass;
        await arrived(scene, 15);
      },
    );
    expect(stored).toMatchObject({ rows: 15, gap: 0, declaredLost: 0, quarantined: 0 });
    const inMemory = stored.all.filter(({ context }) => context["queue"] === "memory");
    expect(inMemory.length).toBe(lack.startsWith("local storage") ? 15 : 0);
  });

  it.concurrent("delivers when it is left where requests end with their page", async () => {
    const head = "<script>delete Request.prototype.keepalive</script>";
    const stored = await visitSite({ attributes: quiet, head }, async (scene) => {
      const page = await scene.open();
      await trackActs(page, 10);
      await page.goto("about:blank");
      await arrived(scene, 10);
      await page.goto(`${scene.site}/back`);
    });
    expect(stored).toMatchObject({ rows: 10, gap: 0 });
  });

  it.concurrent("takes two tabs' queues over without Web Locks, and stores nothing twice", async () => {
    const head = "<script>Object.defineProperty(navigator,'locks',{value:undefined})</script>";
    const stored = await visitSite({ attributes: quiet, head }, async (scene) => {
      scene.proxy.fault = held;
      const left = await scene.open();
      await trackActs(left, 10);
      const right = await scene.open();
      await trackActs(right, 10, 10);
      scene.proxy.fault = pass;
      await arrived(scene, 20);
    });
    expect(stored).toMatchObject({ rows: 20, gap: 0, declaredLost: 0 });
  });

  it.concurrent("tells which events could not be written ahead where storage is full", async () => {
    const stored = await visitSite({ attributes: quiet }, async (scene) => {
      const page = await scene.open();
      await page.evaluate(() => {
        for (let length = 1 << 20; length >= 1; length >>= 1) {
          try {
            for (let at = 0; ; at += 1) localStorage.setItem(`full-${length}-${at}`, "x".repeat(length));
          } catch {}
        }
      });
      await trackActs(page, 10);
      await arrived(scene, 10);
    });
    expect(stored).toMatchObject({ rows: 10, gap: 0 });
    // The first finds it out, the others tell.
    expect(stored.all.filter(({ context }) => context["queue"] === "memory")).toHaveLength(9);
    expect(new Set(stored.all.map(({ session_id }) => session_id)).size).toBe(1);
  });

  it.concurrent("leaves the rest of a site's storage alone, and what is no event in its own", async () => {
    const stored = await visitSite({ attributes: quiet }, async (scene) => {
      const page = await scene.open();
      const kept = await page.evaluate(() => {
        const prefix = Object.keys(localStorage).find((name) => name.startsWith("weir:"));
        const project =
          prefix?.split(":")[1] ?? document.querySelector("script[data-key]")!.getAttribute("data-key");
        localStorage.setItem("theirs", "1");
        localStorage.setItem(`weir:${project}:q:ended:1`, "{broken");
        return project;
      });
      expect(kept).toMatch(/^wk_of_/);
      await page.goto(`${scene.site}/again`);
      await page.waitForFunction(() => !Object.keys(localStorage).some((name) => name.includes(":q:ended:")));
      expect(await page.evaluate(() => localStorage.getItem("theirs"))).toBe("1");
      await trackActs(page, 10);
    });
    expect(stored).toMatchObject({ rows: 10, gap: 0, quarantined: 0 });
  });

  it.concurrent("waits as long as it is asked to, in seconds or until a date, and never hammers", async () => {
    const stored = await visitSite({ attributes: quiet }, async (scene) => {
      const { proxy } = scene;
      const page = await scene.open();
      // A date has no fractions of a second.
      const date = new Date(Math.ceil(Date.now() / 1_000 + 4) * 1_000);
      proxy.fault = { kind: "status", status: 503, headers: { "retry-after": date.toUTCString() } };
      await trackActs(page, 10);
      await until("it came twice", 30_000, () => proxy.seen.length >= 2);
      expect(proxy.seen[1]!.at).toBeGreaterThan(date.getTime() - 100);
      proxy.fault = { kind: "status", status: 503, headers: { "retry-after": "0" } };
      const before = proxy.seen.length;
      await page.waitForTimeout(2_000);
      expect(proxy.seen.length - before).toBeLessThan(12);
      proxy.fault = pass;
    });
    expect(stored).toMatchObject({ rows: 10, gap: 0 });
  });

  it.concurrent("gives up an answer that never comes, and asks again", async () => {
    // Half a minute is long for a test.
    const head =
      "<script>const {timeout}=AbortSignal;AbortSignal.timeout=(ms)=>timeout.call(AbortSignal,ms/30)</script>";
    const stored = await visitSite({ attributes: quiet, head }, async (scene) => {
      scene.proxy.fault = { kind: "hold" };
      const page = await scene.open();
      await trackActs(page, 10);
      await until("it was asked twice", 20_000, () => scene.proxy.seen.length >= 2);
      for (const one of scene.proxy.seen) one.status = 0;
      scene.proxy.fault = pass;
    });
    expect(stored).toMatchObject({ rows: 10, gap: 0, declaredLost: 0 });
  });

  it.concurrent("takes no other 2xx for an answer of the edge", async () => {
    const stored = await visitSite({ attributes: quiet }, async (scene) => {
      scene.proxy.fault = { kind: "status", status: 200 };
      const page = await scene.open();
      await trackActs(page, 10);
      await until("it was answered", 10_000, () => scene.proxy.seen.length > 0);
      scene.proxy.fault = pass;
    });
    expect(stored).toMatchObject({ rows: 10, gap: 0, declaredLost: 0 });
  });

  it("takes at most 2 ms of the page for an event", async () => {
    const stored = await visitSite({ attributes: quiet }, async (scene) => {
      const page = await scene.open();
      const tookMs = await page.evaluate(() => {
        const { weir } = globalThis as unknown as { weir(...words: unknown[]): void };
        return Array.from({ length: 200 }, (_, n) => {
          const before = performance.now();
          weir("track", "act", { n, name: "an event of a usual size", list: [1, 2, 3] });
          return performance.now() - before;
        }).sort((left, right) => left - right);
      });
      const [median, high] = [tookMs[100]!, tookMs[198]!];
      console.log(
        `an event takes ${median.toFixed(2)} ms of the page, one of a hundred ${high.toFixed(2)} ms`,
      );
      expect(median).toBeLessThan(2);
    });
    expect(stored).toMatchObject({ rows: 200, gap: 0 });
  });
});
