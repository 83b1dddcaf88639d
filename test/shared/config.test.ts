// How an environment is read: every fault at once, the nearest name for a wrong one, and no secret in a fault.
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { ConfigError, type ConfigSource, readConfig } from "../../shared/config.ts";
import { settingNames } from "../../shared/settings.ts";

const schema = z.object({
  WEIR_HOST: z.string().default("127.0.0.1"),
  WEIR_EDGE_PORT: z.coerce.number().int().max(65_535).default(8787),
  WEIR_API_TOKEN: z.string().min(16).optional(),
});
const read = (env: ConfigSource["env"], readFile?: (path: string) => string) =>
  readConfig(schema, readFile === undefined ? { env } : { env, readFile }, settingNames);

function faultsOf(env: ConfigSource["env"], readFile?: (path: string) => string): readonly string[] {
  try {
    read(env, readFile);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe("an environment", () => {
  it("fills in what is absent, and takes an empty value as absent", () => {
    expect(read({ WEIR_HOST: "", HOME: "/x" })).toEqual({ WEIR_HOST: "127.0.0.1", WEIR_EDGE_PORT: 8787 });
  });

  it.each([
    ["a test's own", { WEIR_TEST_REDIS_URL: "x" }],
    [
      "what Kubernetes injects for a service",
      { WEIR_EDGE_SERVICE_HOST: "10.0.0.1", WEIR_EDGE_SERVICE_PORT_HTTP: "1" },
    ],
    ["a Kubernetes port by its address", { WEIR_EDGE_PORT: "tcp://10.0.0.1:80", WEIR_EDGE_PORT_80_TCP: "x" }],
    ["another process's setting", { WEIR_STORE_URL: "postgres://x" }],
  ])("passes over %s", (_, env) => {
    expect(read(env)).toEqual({ WEIR_HOST: "127.0.0.1", WEIR_EDGE_PORT: 8787 });
  });

  it.each([
    ["WEIR_EDGE_PROT", "WEIR_EDGE_PORT"],
    ["WEIR_CLAIM_URL", "WEIR_CLAIMS_URL"],
    ["WEIR_LOG_UR", "WEIR_LOG_URL"],
  ])("refuses %s and names %s", (name, nearest) => {
    expect(faultsOf({ [name]: "1" })).toEqual([expect.stringContaining(`${name} is not a setting`)]);
    expect(faultsOf({ [name]: "1" })[0]).toContain(nearest);
  });

  it("tells every fault at once, and shows no value", () => {
    const faults = faultsOf({ WEIR_EDGE_PORT: "70000", WEIR_API_TOKEN: "hunter2", WEIR_NOTHING: "hunter3" });
    expect(faults).toHaveLength(3);
    expect(faults.join("\n")).not.toMatch(/hunter/);
    for (const name of ["WEIR_EDGE_PORT", "WEIR_API_TOKEN", "WEIR_NOTHING"]) {
      expect(
        faults.some((fault) => fault.startsWith(name)),
        name,
      ).toBe(true);
    }
  });
});

describe("a secret in a file", () => {
  const files: Record<string, string> = { "/s/token": "0123456789abcdef\n" };
  const readFile = (path: string): string => {
    if (files[path] === undefined) throw new Error("no such file");
    return files[path];
  };

  it("is read by the name with _FILE, its last line break cut", () => {
    expect(read({ WEIR_API_TOKEN_FILE: "/s/token" }, readFile).WEIR_API_TOKEN).toBe("0123456789abcdef");
  });

  it.each([
    ["a file that is not there", { WEIR_API_TOKEN_FILE: "/s/none" }, /\/s\/none cannot be read/],
    ["both at once", { WEIR_API_TOKEN_FILE: "/s/token", WEIR_API_TOKEN: "x" }, /are both set/],
    ["a name that is none", { WEIR_TOKEN_FILE: "/s/token" }, /is not a setting/],
  ])("refuses %s", (_, env, fault) => {
    expect(faultsOf(env, readFile)).toEqual(expect.arrayContaining([expect.stringMatching(fault)]));
  });

  it("is refused where the runtime reads no files", () => {
    expect(faultsOf({ WEIR_API_TOKEN_FILE: "/s/token" })[0]).toMatch(/reads no files/);
  });
});
