// Runs the store contract on every driver and flavour, and what only one of them promises.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { whileWanted } from "../../aggregator/store/cancel.ts";
import { openStore } from "../../aggregator/store/open.ts";
import { startPostgresTls } from "../services/postgres.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { storeContract } from "./store.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-store-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

storeContract("the embedded server", () => ({
  url: `embedded:${join(folder, "contract")}`,
  flavour: "postgresql",
  password: "",
}));

describeWith(["postgres"], "a server of PostgreSQL", () => {
  storeContract("PostgreSQL", () => ({ url: serviceUrl("postgres"), flavour: "postgresql", password: "" }));
});

describeWith(["timescale"], "a server of TimescaleDB", () => {
  storeContract("TimescaleDB", () => ({
    url: serviceUrl("timescale"),
    flavour: "timescale-apache",
    password: "",
  }));
});

describeWith(["timescale_community"], "a server of TimescaleDB's community edition", () => {
  storeContract("TimescaleDB community", () => ({
    url: serviceUrl("timescale_community"),
    flavour: "timescale-community",
    password: "",
  }));
});

describe("an embedded store", () => {
  const place = join(folder, "embedded");
  const data = join(place, "data");
  const open = () => openStore(`embedded:${place}`, { schema: "weir", dataDir: "" });
  const serverPid = () => Number(readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[0]);
  const isUp = () => existsSync(join(data, "postmaster.pid"));

  it("begins anew in the same folder and keeps what it held", async () => {
    const first = await open();
    await first.sql`create table kept as select 7 as a`;
    await first.close();
    expect(isUp()).toBe(false);
    const second = await open();
    expect((await second.sql`select a from kept`)[0]).toEqual({ a: 7 });
    expect((await second.sql`show fsync`)[0]).toEqual({ fsync: "on" });
    await second.close();
  });

  it("keeps its password to its owner and takes none but it", async () => {
    const store = await open();
    expect(statSync(join(data, "weir-password")).mode & 0o777).toBe(0o600);
    expect(store.label).toBe("embedded:");
    const port = readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[3];
    const wrong = openStore(`postgres://weir:guess@127.0.0.1:${port}/postgres`, {
      schema: "weir",
      dataDir: "",
    });
    await expect(wrong).rejects.toMatchObject({ code: "store_refused" });
    await store.close();
  });

  it("joins a server that runs already, and stops it when the last one leaves", async () => {
    const first = await open();
    const second = await open();
    const [one, two] = [
      await first.sql`select pg_postmaster_start_time()`,
      await second.sql`select pg_postmaster_start_time()`,
    ];
    expect(two[0]).toEqual(one[0]);
    await first.close();
    expect((await second.sql`select 1 as one`)[0]).toEqual({ one: 1 });
    await second.close();
    expect(isUp()).toBe(false);
  });

  it("finds the server of a process that was killed, and stops it afterwards", async () => {
    const script = join(folder, "orphan.ts");
    const opener = join(import.meta.dirname, "../../aggregator/store/open.ts");
    writeFileSync(
      script,
      `import { openStore } from ${JSON.stringify(opener)};
       await openStore("embedded:${place}", { schema: "weir", dataDir: "" });
       console.log("open"); setInterval(() => {}, 1000);`,
    );
    const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.kill("SIGKILL");
    const pid = serverPid();
    const store = await open();
    expect((await store.sql`select a from kept`)[0]).toEqual({ a: 7 });
    expect(serverPid()).toBe(pid);
    await store.close();
    expect(isUp()).toBe(false);
  });

  it("starts after its server was killed, and passes over what it left", async () => {
    const store = await open();
    await store.sql`create table after_kill as select 8 as a`;
    process.kill(serverPid(), "SIGKILL");
    await store.close();
    expect(isUp()).toBe(true);
    const again = await open();
    expect((await again.sql`select a from after_kill`)[0]).toEqual({ a: 8 });
    await again.close();
  });

  it("refuses a folder of another version", async () => {
    const version = join(data, "PG_VERSION");
    const own = readFileSync(version, "utf8");
    writeFileSync(version, "12\n");
    await expect(open()).rejects.toMatchObject({ code: "store_version_unsupported" });
    writeFileSync(version, own);
  });
});

describeWith(["postgres"], "a store with TLS and a password", () => {
  let server: Awaited<ReturnType<typeof startPostgresTls>>;
  beforeAll(async () => {
    server = await startPostgresTls();
  });
  afterAll(() => server?.stop());
  const open = (query: string, ca?: string, change: (url: string) => string = (url) => url) =>
    openStore(change(server.url) + query, { schema: "weir", dataDir: "", ca });

  it("is opened over TLS by the right authority and password", async () => {
    const store = await open("?sslmode=verify-full", server.caPem);
    const [row] = await store.sql`select ssl from pg_stat_ssl where pid = pg_backend_pid()`;
    expect(row).toEqual({ ssl: true });
    expect(store.label).not.toContain("secret");
    await store.close();
  });

  it("is encrypted and not verified with sslmode=require", async () => {
    const store = await open("?sslmode=require");
    const [row] = await store.sql`select ssl from pg_stat_ssl where pid = pg_backend_pid()`;
    expect(row).toEqual({ ssl: true });
    await store.close();
  });

  it("ends a statement that nobody waits for, over TLS as well", async () => {
    const store = await open("?sslmode=verify-full", server.caPem);
    const asker = new AbortController();
    const begun = store.sql.begin(
      whileWanted(store.sql, asker.signal, async (tx) => {
        setTimeout(() => asker.abort(), 50);
        await tx`select pg_sleep(10)`;
      }),
    );
    const message = "canceling statement due to user request";
    await expect(begun).rejects.toMatchObject({ code: "57014", message });
    await store.close();
  });

  it.each([
    ["an authority nobody knows", undefined, (url: string) => url, "store_unreachable"],
    [
      "a host the certificate does not name",
      "own",
      (url: string) => url.replace("127.0.0.1", "127.0.0.2"),
      "store_unreachable",
    ],
    ["a wrong password", "own", (url: string) => url.replace("secret-of", "wrong-of"), "store_refused"],
  ])("is not opened with %s, and the password is not told", async (_, ca, change, code) => {
    const refused = open("?sslmode=verify-full", ca === undefined ? undefined : server.caPem, change);
    const error = await refused.catch((cause: Error) => cause);
    expect(error).toMatchObject({ code });
    expect(JSON.stringify([error, (error as Error).message, String((error as Error).cause)])).not.toMatch(
      /(secret|wrong)-of/,
    );
  });

  it.each([["?sslmode=prefer"], ["?user=x"]])("is not opened with %s", async (query) => {
    await expect(open(query)).rejects.toMatchObject({ code: "store_url_invalid" });
  });
});
