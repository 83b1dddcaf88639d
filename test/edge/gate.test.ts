// Who is let in: keys and aliases, their end, origins, and what an edge keeps of them while their source is down.
import { describe, expect, it } from "vitest";
import { hash } from "../../edge/adapter/bun.ts";
import { createGate, isAllowed, optsOut } from "../../edge/gate.ts";
import { fixedKeys, polledKeys } from "../../edge/keys.ts";
import { type Policy, policyShape } from "../../shared/event/policy.ts";
import { aliasText, type WriteKey } from "../../shared/event/write-key.ts";
import { keysPollMs } from "../../shared/limits.ts";
import { silentLogger } from "../../shared/logger.ts";
import { createSigner } from "../../shared/wire/signature.ts";
import { manualClock } from "../support/clock.ts";
import { until } from "../support/until.ts";
import { keyOf, now, testEdge, writeKey } from "./support.ts";

const policy = (given: object): Policy => policyShape.parse(given);

function gateOver(keys: readonly WriteKey[], policies: Record<string, Policy> = {}) {
  const clock = manualClock(now);
  const source = fixedKeys(keys, policies);
  return { clock, gate: createGate({ keys: source, clock, hash, rateEventsPerSecond: 1e6 }) };
}

describe("a write key", () => {
  it("names its project, and nobody else's text does", async () => {
    const { gate } = gateOver([await keyOf("wk_shop")]);
    expect(await gate.identify("wk_shop")).toMatchObject({ project: "shop" });
    for (const text of [undefined, "", "wk_other", "wk shop", "wk_shöp", "x".repeat(257), "wk_shop\0"]) {
      await expect(gate.identify(text)).rejects.toMatchObject({ code: "unknown_write_key" });
    }
  });

  it("ends when it was told to, at that very moment", async () => {
    const { clock, gate } = gateOver([{ ...(await keyOf("wk_old")), expiresAt: now + 1_000 }]);
    expect(await gate.identify("wk_old")).toMatchObject({ project: "shop" });
    await clock.advance(1_000);
    await expect(gate.identify("wk_old")).rejects.toMatchObject({ code: "unknown_write_key" });
  });
});

describe("an alias", () => {
  it("stands for a key where there is none, in any case", async () => {
    const { gate } = gateOver([await keyOf(aliasText("Shop.Example"))]);
    expect(await gate.identify(undefined, "shop.example")).toMatchObject({ project: "shop" });
    expect(await gate.identify("", " SHOP.example ")).toMatchObject({ project: "shop" });
    await expect(gate.identify(undefined, "blog.example")).rejects.toMatchObject({
      code: "unknown_write_key",
    });
    await expect(gate.identify(undefined, "a\0b")).rejects.toMatchObject({ code: "unknown_write_key" });
  });

  it("is never a key, and a key is never an alias", async () => {
    const { gate } = gateOver([await keyOf(aliasText("web")), await keyOf("wk_shop")]);
    for (const text of ["web", aliasText("web"), "alias%20web"]) {
      await expect(gate.identify(text)).rejects.toMatchObject({ code: "unknown_write_key" });
    }
    await expect(gate.identify(undefined, "wk_shop")).rejects.toMatchObject({ code: "unknown_write_key" });
    // A wrong key is wrong, whatever name comes beside it.
    await expect(gate.identify("wk_wrong", "web")).rejects.toMatchObject({ code: "unknown_write_key" });
  });
});

describe("an origin", () => {
  const origins = ["https://shop.example", "https://*.shop.example", "http://localhost:3000"];
  it.each([
    ["https://shop.example", true],
    ["https://SHOP.example", true],
    ["https://www.shop.example", true],
    ["https://a.b.shop.example", true],
    ["http://localhost:3000", true],
    ["http://shop.example", false],
    ["https://shop.example:8443", false],
    ["https://evilshop.example", false],
    ["https://.shop.example", false],
    ["https://shop.example.evil.example", false],
    ["http://localhost:3001", false],
    ["null", false],
    ["", false],
  ])("%s: %s", (origin, expected) => {
    expect(isAllowed(origin, policy({ origins }))).toBe(expected);
    expect(isAllowed(origin, policy({}))).toBe(true);
  });

  it("that the project does not name is refused, and told to no page", async () => {
    const keys = fixedKeys([await keyOf(writeKey)], { shop: policy({ origins }) });
    const { post, collector } = await testEdge({ keys });
    const event = { type: "t", event_id: "1" };
    const good = await post(event, { origin: "https://www.shop.example" });
    expect([good.status, good.headers.get("access-control-allow-origin")]).toEqual([
      202,
      "https://www.shop.example",
    ]);
    const bad = await post(event, { origin: "https://evil.example" });
    expect([bad.status, bad.headers.get("access-control-allow-origin")]).toEqual([403, null]);
    expect(await bad.json()).toMatchObject({ code: "forbidden", retryable: false });
    expect((await post(event)).status).toBe(202);
    expect(collector.batches).toHaveLength(2);
  });
});

it.each([
  [{ "sec-gpc": "1" }, true],
  [{ dnt: "1" }, true],
  [{ dnt: " 1 " }, true],
  [{ "sec-gpc": "0", dnt: "0" }, false],
  [{ dnt: "null" }, false],
  [{}, false],
])("a request with %j opts out: %s", (headers, expected) => {
  expect(optsOut(new Headers(headers as Record<string, string>))).toBe(expected);
});

describe("what an edge learns", () => {
  async function source() {
    const clock = manualClock(now);
    let told: object | undefined;
    let failures = 0;
    const fails = (): void => {
      failures += 1;
    };
    const keys = polledKeys({
      url: "http://aggregator.example",
      signer: await createSigner(["a secret of the tests alone"]),
      clock,
      logger: { ...silentLogger, error: fails },
      fetch: (async () =>
        told === undefined
          ? new Response("", { status: 500 })
          : Response.json(told)) as unknown as typeof fetch,
    });
    const passes = (what: string, holds: () => boolean): Promise<void> =>
      until(what, 10_000, async () => {
        if (!holds()) await clock.advance(1_000);
        return holds();
      });
    const tell = (body: object | undefined) => {
      told = body;
    };
    const close = async (): Promise<void> => {
      let hasEnded = false;
      const ended = keys.close().then(() => {
        hasEnded = true;
      });
      await passes("the end", () => hasEnded);
      await ended;
    };
    return { clock, keys, tell, passes, close, failures: () => failures };
  }
  const key = { hash: "a".repeat(64), project: "shop", rights: ["historical", "client_context", "later"] };

  it("is the keys, the rights it knows, and what each project asks", async () => {
    const { keys, tell, passes, close } = await source();
    tell({ keys: [key], policies: { shop: { ip: "keep", later: 1 }, blog: {} }, later: {} });
    await passes("the keys", () => keys.find(key.hash) !== undefined);
    expect(keys.find(key.hash)).toMatchObject({ project: "shop", rights: ["historical", "client_context"] });
    expect(keys.policyOf("shop")).toMatchObject({ ip: "keep", gpc: "honour" });
    expect(keys.policyOf("blog")).toMatchObject({ ip: "drop" });
    expect(keys.policyOf("none")).toBeUndefined();
    await close();
  });

  it("is renewed within 30 s, and stands while the source is down", async () => {
    const { clock, keys, tell, passes, close, failures } = await source();
    tell({ keys: [key], policies: { shop: {} } });
    await passes("the keys", () => keys.find(key.hash) !== undefined);
    const changedAt = clock.now();
    tell({ keys: [{ ...key, expires_at: now + 3_600_000 }], policies: { shop: { consent: "required" } } });
    await passes("the change", () => keys.policyOf("shop")?.consent === "required");
    expect(keys.find(key.hash)?.expiresAt).toBe(now + 3_600_000);
    // A pass of the clock is a second, and a turn of the runtime may come after it.
    expect(clock.now() - changedAt).toBeLessThanOrEqual(keysPollMs + 30_000);
    tell(undefined);
    const failed = failures();
    await passes("failures", () => failures() >= failed + 3);
    expect(keys.policyOf("shop")?.consent).toBe("required");
    await keys.ready();
    await close();
  });

  it("of an aggregator from before there were policies, is its keys", async () => {
    const { keys, tell, passes, close } = await source();
    tell({ keys: [key] });
    await passes("the keys", () => keys.find(key.hash) !== undefined);
    expect(keys.policyOf("shop")).toBeUndefined();
    await close();
  });
});
