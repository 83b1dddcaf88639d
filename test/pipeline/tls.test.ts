// Three processes on services that want TLS and passwords, with the least rights the README asks for.
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeCertificates } from "../services/certificates.ts";
import { type RunningKafkaTls, startKafkaTls } from "../services/kafka.ts";
import { startPostgresTls } from "../services/postgres.ts";
import { type RunningRedisTls, startRedisTls } from "../services/redis.ts";
import { openProcesses, type Settings, type Station } from "../support/processes.ts";
import { describeWith } from "../support/services.ts";
import { succeeded } from "../support/three-processes.ts";
import { until } from "../support/until.ts";

type Service = "log" | "claims" | "store";
interface Finding {
  name: string;
  state: string;
  found: string;
}

const minutes = 5 * 60_000;
const schema = "weir";
const readme = readFileSync(join(import.meta.dirname, "../../collector/README.md"), "utf8");
const redisRights = /^ACL SETUSER \S+ on >\S+ (.+)$/m.exec(readme)?.[1] ?? "";
/** With all that has to be escaped in a URL. */
const secret = (of: string): string => `${of}/p@ss:w0rd?${randomBytes(6).toString("hex")}`;

describeWith(["redis", "kafka", "postgres"], "three processes over TLS, with passwords", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-tls-"));
  const processes = openProcesses();
  const passwords = {
    app: secret("app"),
    looker: secret("looker"),
    claims: secret("claims"),
    wrong: secret("wrong"),
  };
  const token = secret("token");
  const edgeSecret = secret("edge");
  const sentAt = new Date().toISOString();
  let kafka: RunningKafkaTls;
  let redis: RunningRedisTls;
  let server: Awaited<ReturnType<typeof startPostgresTls>>;
  let admin: postgres.Sql;
  let authorities: Record<Service, string>;
  let aggregator: Station;
  let key: string;

  beforeAll(async () => {
    const starting = startKafkaTls();
    [redis, server] = await Promise.all([
      startRedisTls("collector", passwords.claims, redisRights),
      startPostgresTls(),
    ]);
    const started = await starting;
    if ("missing" in started) throw new Error(started.missing);
    kafka = started;
    admin = postgres(server.url, { max: 1, ssl: { ca: server.caPem }, onnotice: () => {} });
    authorities = { log: kafka.caPem, claims: redis.certificates.caPem, store: server.caPem };
    await admin.unsafe(`
      revoke all on database postgres from public;
      revoke all on schema public from public;
      create role app login password '${passwords.app}';
      create role looker login password '${passwords.looker}';
      grant connect, temporary, create on database postgres to app;
      grant connect on database postgres to looker`);
    succeeded(await processes.run(["migrate"], settings({ WEIR_LOG_URL: logUrl("scram-sha-256") })));
    await admin.unsafe(`
      revoke create on database postgres from app;
      grant usage on schema ${schema} to looker;
      grant select on all tables in schema ${schema} to looker`);
    key = String(succeeded(await processes.run(["keys", "create", "--json"], settings())).result["key"]);
    aggregator = await processes.start("aggregator", settings({ WEIR_LOG_URL: logUrl("plain") }));
  }, minutes);
  afterAll(async () => {
    try {
      await processes.close();
    } finally {
      await admin?.end({ timeout: 1 });
      await Promise.all([kafka?.stop(), redis?.stop(), server?.stop()]);
      rmSync(folder, { recursive: true, force: true });
    }
  }, minutes);

  let written = 0;
  /** Settings that all lie in files, as secrets do where processes run for real. */
  function inFiles(values: Settings): Settings {
    const named = Object.entries(values).map(([name, value]) => {
      written += 1;
      const file = join(folder, `${written}.secret`);
      writeFileSync(file, `${value}\n`, { mode: 0o600 });
      return [`${name}_FILE`, file];
    });
    return Object.fromEntries(named);
  }

  const storeUrl = (user: string, password: string): string => {
    const { host } = new URL(server.url);
    return `postgres://${user}:${encodeURIComponent(password)}@${host}/postgres?sslmode=verify-full`;
  };
  const logUrl = (mechanism: string, password = kafka.password): string =>
    `kafka+tls://${kafka.user}:${encodeURIComponent(password)}@${kafka.address}?mechanism=${mechanism}`;
  const claimsUrl = (password = passwords.claims): string =>
    `rediss://collector:${encodeURIComponent(password)}@localhost:${redis.port}`;

  function settings(
    change: Settings = {},
    trusted: readonly Service[] = ["log", "claims", "store"],
  ): Settings {
    return {
      WEIR_LOG_ALLOW_WEAK: "1",
      WEIR_LOG_PARTITIONS: "3",
      WEIR_STORE_SCHEMA: schema,
      WEIR_DATA_DIR: join(folder, "data"),
      ...inFiles({
        WEIR_LOG_URL: logUrl("scram-sha-512"),
        WEIR_CLAIMS_URL: claimsUrl(),
        WEIR_STORE_URL: storeUrl("app", passwords.app),
        WEIR_EDGE_SECRET: edgeSecret,
        WEIR_API_TOKEN: token,
        WEIR_TLS_CA: trusted.map((service) => authorities[service]).join(""),
        ...change,
      }),
    };
  }

  const doctor = async (given: Settings): Promise<{ code: number | null; of(name: string): Finding }> => {
    const { code, result, said } = await processes.run(["doctor", "--json"], given);
    const findings = (result["findings"] ?? []) as Finding[];
    return {
      code,
      of(name) {
        const found = findings.find((finding) => finding.name === name);
        if (found === undefined) throw new Error(`doctor says nothing of ${name}: ${said}`);
        return found;
      },
    };
  };

  /** A collector with an edge before it; `send` posts one event. */
  async function startFront(
    given: Settings,
  ): Promise<{ collector: Station; send(id: string): Promise<unknown> }> {
    const collector = await processes.start("collector", given);
    const edge = await processes.start("edge", {
      ...inFiles({ WEIR_EDGE_SECRET: edgeSecret }),
      WEIR_COLLECTOR_URL: collector.url,
      WEIR_KEYS_URL: aggregator.url,
      WEIR_DATA_DIR: join(folder, "edge"),
    });
    const send = async (id: string): Promise<unknown> => {
      const events = [{ event_id: id, type: "signup", user_id: "ada", timestamp: sentAt }];
      const body = JSON.stringify({ events });
      const headers = { authorization: `Bearer ${key}` };
      return await (await fetch(`${edge.url}/v1/events`, { method: "POST", headers, body })).json();
    };
    return { collector, send };
  }

  const ledger = (headers: Record<string, string>): Promise<Response> =>
    fetch(`${aggregator.url}/v1/ledger`, { headers });
  const counted = async (): Promise<{ stored: number; duplicate: number }> => {
    const answer = await ledger({ authorization: `Bearer ${token}` });
    const { data } = (await answer.json()) as { data: { stored: number; duplicate: number }[] };
    return { stored: data[0]?.stored ?? 0, duplicate: data[0]?.duplicate ?? 0 };
  };
  const isCounted = (stored: number, duplicate: number): Promise<void> =>
    until(`${stored} stored and ${duplicate} duplicate are in the ledger`, 20_000, async () => {
      const found = await counted();
      return found.stored === stored && found.duplicate === duplicate;
    });

  it(
    "take an event all the way, by every mechanism, and need no more rights than are listed",
    async () => {
      const { collector, send } = await startFront(settings());
      expect(await send("claimed")).toMatchObject({ accepted: 1, duplicate: 0 });
      expect(await send("claimed")).toMatchObject({ accepted: 0, duplicate: 1 });
      expect(collector.said()).not.toContain("claims_unavailable");
      await isCounted(1, 1);
      expect((await ledger({})).status).toBe(401);
      const reconciled = await processes.run(["reconcile", "--json"], settings());
      expect(succeeded(reconciled).result).toMatchObject({ ok: true, stored: 1, duplicate: 1, lost: 0 });
    },
    minutes,
  );

  it("are well in the eyes of a doctor who may only look", async () => {
    const found = await doctor(settings({ WEIR_STORE_URL: storeUrl("looker", passwords.looker) }));
    for (const name of ["log", "claims", "store", "write keys"])
      expect(found.of(name), name).toMatchObject({ state: "ok" });
    expect(found.code).toBe(0);
  });

  describe("refuse a server whose certificate another authority signed:", () => {
    it.each<[Service, string]>([
      ["log", "collector"],
      ["store", "aggregator"],
    ])("the %s, so that no %s starts on it", async (service, command) => {
      const foreign = await makeCertificates(mkdtempSync(join(folder, "foreign-")), ["localhost"]);
      const others = (["log", "claims", "store"] as const).filter((one) => one !== service);
      const pem = [...others.map((one) => authorities[one]), foreign.caPem].join("");
      const given = settings({ WEIR_TLS_CA: pem });
      const found = await doctor(given);
      expect(found.of(service)).toMatchObject({
        state: "bad",
        found: expect.stringMatching(/certificate|signed|issuer/i),
      });
      for (const other of others) expect(found.of(other), other).toMatchObject({ state: "ok" });
      const ended = await processes.run([command], {
        ...given,
        WEIR_COLLECTOR_PORT: "0",
        WEIR_AGGREGATOR_PORT: "0",
      });
      expect(ended.code, ended.said).toBe(1);
    });

    it("the claims, and go on without them, so that the store finds the copy", async () => {
      const given = settings({}, ["log", "store"]);
      const found = await doctor(given);
      expect(found.of("claims")).toMatchObject({ state: "bad" });
      expect(found.of("log")).toMatchObject({ state: "ok" });
      const { collector, send } = await startFront(given);
      expect(collector.said()).toContain("claims_unavailable");
      const { stored, duplicate } = await counted();
      expect(await send("unclaimed")).toMatchObject({ accepted: 1, duplicate: 0 });
      await isCounted(stored + 1, duplicate);
      expect(await send("unclaimed")).toMatchObject({ accepted: 1, duplicate: 0 });
      await isCounted(stored + 1, duplicate + 1);
    });
  });

  it("refuse to go on with a wrong password", async () => {
    const found = await doctor(
      settings({
        WEIR_CLAIMS_URL: claimsUrl(passwords.wrong),
        WEIR_STORE_URL: storeUrl("app", passwords.wrong),
      }),
    );
    expect(found.of("claims")).toMatchObject({ state: "bad" });
    expect(found.of("store")).toMatchObject({ state: "bad" });
    const log = await doctor(settings({ WEIR_LOG_URL: logUrl("plain", passwords.wrong) }));
    expect(log.of("log")).toMatchObject({ state: "bad" });
    const ended = await processes.run(
      ["aggregator"],
      settings({ WEIR_LOG_URL: logUrl("plain", passwords.wrong) }),
    );
    expect(ended.code, ended.said).toBe(1);
  });

  it("write no secret anywhere", () => {
    const said = processes.said();
    expect(said.length).toBeGreaterThan(1_000);
    const secrets = [
      ...Object.values(passwords),
      kafka.password,
      token,
      edgeSecret,
      "secret-of-the-test",
      "w0rd",
    ];
    const told = secrets.filter((text) => said.includes(text) || said.includes(encodeURIComponent(text)));
    expect(told).toEqual([]);
  });
});
