// What a real Redis does when it is full, read-only, hung or gone, and what its TLS and its rights let through.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withBreaker } from "../../../collector/claims/breaker.ts";
import { type ClaimStore, claimFound } from "../../../collector/claims/claims.ts";
import { createRedisClaims, type RedisClaimsOptions } from "../../../collector/claims/redis.ts";
import { createUpstashClaims } from "../../../collector/claims/upstash.ts";
import { systemClock } from "../../../shared/clock.ts";
import { claimRequest } from "../../contract/claims.ts";
import { launchRedis, type RunningRedis, type RunningRedisTls, startRedisTls } from "../../services/redis.ts";
import { startRestGateway } from "../../support/rest-gateway.ts";
import { describeWith } from "../../support/services.ts";

const prefix = new Uint8Array(8).fill(3);
const stores: ClaimStore[] = [];
const running: { stop(): Promise<void> }[] = [];

function open(url: string, more: Partial<RedisClaimsOptions> = {}): ClaimStore {
  const store = createRedisClaims({ url, prefix, ...more });
  stores.push(store);
  return store;
}

async function launch(options: Parameters<typeof launchRedis>[0] = {}): Promise<RunningRedis> {
  const server = await launchRedis(options);
  running.push(server);
  return server;
}

/** The server's own words, for what no claim store offers. */
async function tell(url: string, command: string, ...parameters: string[]): Promise<unknown> {
  const client = new Bun.RedisClient(url);
  try {
    return await client.send(command, parameters);
  } finally {
    client.close();
  }
}

afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()));
  await Promise.all(running.map((server) => server.stop()));
});

describeWith(["redis"], "claims on a Redis", () => {
  it("know their scripts again after the server forgot them", async () => {
    const { url } = await launch();
    const store = open(url);
    const request = claimRequest(2);
    await store.claim(request);
    await tell(url, "SCRIPT", "FLUSH");
    await store.settle(request);
    await tell(url, "SCRIPT", "FLUSH");
    expect([...(await store.claim(request))]).toEqual([claimFound.doneSameBatch, claimFound.doneSameBatch]);
  });

  it("lie under names that begin with weir:, and all of them end by themselves", async () => {
    const { url } = await launch();
    const store = open(url);
    await store.settle(claimRequest(500));
    const keys = (await tell(url, "KEYS", "*")) as string[];
    expect(keys).toHaveLength(1);
    expect(keys[0]).toMatch(/^weir:/);
    const lived = (await tell(
      url,
      "EVAL",
      "return redis.call('PTTL', redis.call('KEYS', '*')[1])",
      "0",
    )) as number;
    expect(lived).toBeGreaterThan(600_000);
    expect(lived).toBeLessThanOrEqual(900_000);
  });

  it("of a full server reject loudly, and lose nothing", async () => {
    const { url } = await launch({ settings: [["maxmemory", "4mb"]] });
    const store = open(url);
    const done: ReturnType<typeof claimRequest>[] = [];
    const fill = async (): Promise<void> => {
      for (;;) {
        const request = claimRequest(500);
        await store.settle(request);
        done.push(request);
      }
    };
    await expect(fill()).rejects.toThrow("OOM");
    await expect(store.claim(claimRequest(500))).rejects.toThrow("OOM");
    await tell(url, "CONFIG", "SET", "maxmemory", "0");
    expect(done.length).toBeGreaterThan(3);
    for (const request of done) {
      expect(new Set(await store.claim(request))).toEqual(new Set([claimFound.doneSameBatch]));
    }
  });

  it("of a replica reject", async () => {
    const [main, replica] = [await launch(), await launch()];
    await tell(replica.url, "REPLICAOF", "127.0.0.1", String(main.port));
    const store = open(replica.url);
    await expect(store.claim(claimRequest(1))).rejects.toThrow("READONLY");
    await expect(store.settle(claimRequest(1))).rejects.toThrow("READONLY");
  });

  it("of a server that hangs reject at the deadline, and answer once it goes on", async () => {
    const { url, pid } = await launch();
    const store = open(url, { deadlineMs: 300 });
    await store.claim(claimRequest(1));
    process.kill(pid, "SIGSTOP");
    for (let round = 0; round < 2; round += 1) {
      const started = performance.now();
      await expect(store.claim(claimRequest(1))).rejects.toThrow();
      expect(performance.now() - started).toBeLessThan(2_000);
    }
    process.kill(pid, "SIGCONT");
    expect([...(await store.claim(claimRequest(1)))]).toEqual([claimFound.nothing]);
  });

  it("of a server that stops reject within the deadline, open the breaker, and come back with it", async () => {
    const server = await launch();
    const told: string[] = [];
    const breaker = withBreaker(open(server.url, { deadlineMs: 500 }), {
      clock: systemClock,
      openMs: 200,
      changed: (state) => told.push(state),
    });
    await breaker.claim(claimRequest(1));
    await server.stop();
    const started = performance.now();
    for (let call = 0; call < 20; call += 1) await expect(breaker.claim(claimRequest(1))).rejects.toThrow();
    expect(performance.now() - started).toBeLessThan(4_000);
    expect([breaker.state(), told[0]]).toEqual(["open", "open"]);
    await launch({ port: server.port });
    await expect
      .poll(() => breaker.claim(claimRequest(1)).then(() => breaker.state(), String), {
        timeout: 10_000,
      })
      .toBe("closed");
    expect(told.at(-1)).toBe("closed");
  });

  it("over REST, reject for a full server, a wrong token and a gateway that is gone", async () => {
    const server = await launch();
    const gateway = await startRestGateway(server.url, "right-token");
    const store = createUpstashClaims({ url: gateway.url, prefix, deadlineMs: 500 });
    await store.claim(claimRequest(1));
    const wrong = createUpstashClaims({ url: gateway.url.replace("right", "wrong"), prefix });
    await expect(wrong.claim(claimRequest(1))).rejects.toThrow("Unauthorized");
    await expect(wrong.health()).rejects.toThrow("Unauthorized");
    await tell(server.url, "CONFIG", "SET", "maxmemory", "1");
    const full = store.claim(claimRequest(500));
    await expect(full).rejects.toThrow("OOM");
    // What the client says of it does not carry the batch along.
    await expect(full).rejects.toSatisfy((error) => String(error).length < 300);
    process.kill(server.pid, "SIGSTOP");
    const started = performance.now();
    await expect(store.claim(claimRequest(1))).rejects.toThrow();
    expect(performance.now() - started).toBeLessThan(2_000);
    await gateway.stop();
    await expect(store.claim(claimRequest(1))).rejects.toThrow();
  });

  it.each(["allkeys-lru", "volatile-ttl", "allkeys-random"])("say that %s forgets", async (policy) => {
    const { url } = await launch({ settings: [["maxmemory-policy", policy]] });
    expect(await open(url).health()).toEqual({ evicts: true, detail: `maxmemory-policy ${policy}` });
    const gateway = await startRestGateway(url, "token");
    const rest = createUpstashClaims({ url: gateway.url, prefix });
    expect(await rest.health()).toEqual({ evicts: true, detail: `maxmemory-policy ${policy}` });
    await gateway.stop();
  });

  it("learn the policy from INFO where CONFIG is hidden, and say so where both are", async () => {
    const { url } = await launch({ settings: [["rename-command", "CONFIG", ""]] });
    expect(await open(url).health()).toEqual({ evicts: false, detail: "maxmemory-policy noeviction" });
    const silent = await launch({
      settings: [
        ["rename-command", "CONFIG", ""],
        ["rename-command", "INFO", ""],
      ],
    });
    expect((await open(silent.url).health()).evicts).toBeUndefined();
  });
});

describeWith(["redis"], "claims over TLS", () => {
  const readme = readFileSync(join(import.meta.dirname, "../../../collector/README.md"), "utf8");
  const rights = /^ACL SETUSER \S+ on >\S+ (.+)$/m.exec(readme)?.[1] ?? "";
  let server: RunningRedisTls;
  beforeAll(async () => {
    server = await startRedisTls("collector", "secret-of-the-test", rights);
    running.push(server);
  });

  it("work with the authority's certificate, the password and the rights the README asks for", async () => {
    const store = open(server.url, { ca: server.certificates.caPem });
    const request = claimRequest(20);
    expect(new Set(await store.claim(request))).toEqual(new Set([claimFound.nothing]));
    await store.release(request);
    await store.claim(request);
    await store.settle(request);
    expect(new Set(await store.claim(request))).toEqual(new Set([claimFound.doneSameBatch]));
    expect(await store.health()).toEqual({ evicts: false, detail: "maxmemory-policy noeviction" });
  });

  describe("reject", () => {
    it.each([
      ["a server whose authority is not known", (url: string) => open(url)],
      [
        "a wrong password",
        (url: string) => open(url.replace("secret", "guess"), { ca: server.certificates.caPem }),
      ],
      ["no password", (url: string) => open(url.replace(/\/\/.*@/, "//"), { ca: server.certificates.caPem })],
      ["plain text", (url: string) => open(url.replace("rediss", "redis"))],
    ])("%s", async (_, client) => {
      const started = performance.now();
      const error = await client(server.url)
        .claim(claimRequest(1))
        .then(() => "it answered", String);
      expect(error).not.toBe("it answered");
      expect(error).not.toContain("secret");
      expect(performance.now() - started).toBeLessThan(3_000);
    });
  });
});
