// The containers' files as they would be read: every service answers for its health, none has a password
// of its own making, and what is said in one file agrees with the others.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { settingNames } from "../shared/settings.ts";

const root = join(import.meta.dirname, "..");
const text = (path: string): string => readFileSync(join(root, path), "utf8");

interface Service {
  image?: string;
  build?: { context: string; dockerfile: string };
  command?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test?: string[]; disable?: boolean };
}
interface Compose {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
}
const composeText = text("docker-compose.yml");
const compose = Bun.YAML.parse(composeText) as Compose;
const services = Object.entries(compose.services);
const ours = ["edge", "collector", "aggregator"];
const dockerfiles = ours.map((name) => [name, text(`${name}/Dockerfile`)] as const);

describe("docker-compose.yml", () => {
  it("has the three processes and all they stand on", () => {
    const wanted = [
      ...ours,
      "migrate",
      "redpanda",
      "redis",
      "redis-rest",
      "timescale",
      "prometheus",
      "grafana",
    ];
    expect(Object.keys(compose.services).sort()).toEqual(wanted.sort());
  });

  it.each(services)("%s says whether it is well, by its own check or its image's", (name, service) => {
    if (service.healthcheck?.disable) expect(service.command).toEqual(["migrate"]);
    else if (service.build) expect(text(service.build.dockerfile)).toContain("/readyz");
    else expect(service.healthcheck?.test?.length, name).toBeGreaterThan(1);
  });

  it.each(services)("%s waits for services that there are, until they are ready", (_, service) => {
    for (const [name, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect(compose.services).toHaveProperty(name);
      expect(condition).toBe(name === "migrate" ? "service_completed_successfully" : "service_healthy");
    }
  });

  it.each(services)("%s listens on loopback alone", (_, service) => {
    expect((service.ports ?? []).filter((port) => !port.startsWith("127.0.0.1:"))).toEqual([]);
  });

  it.each(services)("%s is pinned to a version, and mounts what is there", (_, service) => {
    if (service.image !== undefined) expect(service.image).toMatch(/:v?\d+\.\d+/);
    for (const volume of service.volumes ?? []) {
      const [source = ""] = volume.split(":");
      if (source.startsWith("./")) expect(existsSync(join(root, source)), source).toBe(true);
      else expect(compose.volumes).toHaveProperty(source);
    }
  });

  it("takes every secret from outside, and none has a default", () => {
    const secrets = services.flatMap(([name, { environment = {} }]) =>
      Object.entries(environment)
        .filter(([key, value]) => /PASSWORD|SECRET|TOKEN|AUTH/.test(key) || /:\/\/[^/]*@/.test(value))
        .map(([key, value]) => ({ place: `${name} ${key}`, value })),
    );
    expect(secrets.length).toBeGreaterThan(5);
    expect(secrets.filter(({ value }) => !/\$\{\w+:\?[^}]+\}/.test(value))).toEqual([]);
    expect(composeText).not.toMatch(/\$\{\w+:?-/);
  });

  it("gives our processes settings that exist", () => {
    const names = ours.flatMap((name) => Object.keys(compose.services[name]?.environment ?? {}));
    expect(names.filter((name) => !settingNames.includes(name))).toEqual([]);
  });

  it("keeps Redis from forgetting claims, and Redpanda from acking what is on no disk", () => {
    expect(compose.services["redis"]?.command?.join(" ")).toContain("--maxmemory-policy noeviction");
    expect(compose.services["redpanda"]?.command).toContain("--set=redpanda.developer_mode=false");
    expect(compose.services["redpanda"]?.command).toContain("--unsafe-bypass-fsync=false");
  });

  it("is taken by docker compose, where there is one", () => {
    if (spawnSync("docker", ["compose", "version"]).status !== 0) {
      console.warn("NOT RUN: docker compose config (docker compose does not answer here)");
      return;
    }
    const secrets = [...composeText.matchAll(/\$\{(\w+):\?/g)].map(([, name]) => [name!, "0123456789abcdef"]);
    const env = { ...process.env, ...Object.fromEntries(secrets) };
    const options = { cwd: root, encoding: "utf8" as const };
    const faulty = spawnSync("docker", ["compose", "config", "--quiet"], { ...options, env: process.env });
    expect(faulty.status).not.toBe(0);
    const sound = spawnSync("docker", ["compose", "--profile", "rest", "config", "--quiet"], {
      ...options,
      env,
    });
    expect(sound.stderr).toBe("");
    expect(sound.status).toBe(0);
  });
});

describe("the images", () => {
  const version = (JSON.parse(text("package.json")) as { dependencies: { bun: string } }).dependencies.bun;
  it.each(dockerfiles)("%s runs on the Bun of package.json, not as root, and without tests", (name, file) => {
    expect(file).toContain(`FROM oven/bun:${version}`);
    expect(file).toMatch(/^USER bun$/m);
    expect(file).toMatch(/npm install --no-save --omit=dev/);
    expect(file).toContain(`CMD ["${name}"]`);
    expect(file).not.toMatch(/COPY (--\S+ )?(\.|test)[ /]/);
  });

  it.each(dockerfiles)("%s copies only what is there", (_, file) => {
    const sources = [...file.matchAll(/^COPY (?!--)(.+) \S+$/gm)].flatMap(([, list]) => list!.split(" "));
    expect(sources.filter((source) => !existsSync(join(root, source)))).toEqual([]);
  });
});

describe("the other configuration", () => {
  it("is asked of by Prometheus under the services' names and ports", () => {
    const { scrape_configs } = Bun.YAML.parse(text("shared/telemetry/prometheus.yml")) as {
      scrape_configs: { static_configs: { targets: string[]; labels: { process: string } }[] }[];
    };
    const targets = scrape_configs.flatMap(({ static_configs }) => static_configs);
    expect(targets.map(({ labels }) => labels.process)).toEqual(ours);
    for (const { targets: hosts, labels } of targets) {
      const port = /EXPOSE (\d+)/.exec(text(`${labels.process}/Dockerfile`))?.[1];
      expect(hosts).toEqual([`${labels.process}:${port}`]);
    }
  });

  it("is sound YAML in the workflow, which runs what the README runs", () => {
    const workflow = Bun.YAML.parse(text(".github/workflows/ci.yml")) as {
      jobs: Record<string, { steps: { run?: string }[] }>;
    };
    const commands = Object.values(workflow.jobs).flatMap(({ steps }) => steps.map(({ run }) => run ?? ""));
    for (const command of ["npm install --no-save", "npm run check", "npm test"]) {
      expect(
        commands.some((line) => line.includes(command)),
        command,
      ).toBe(true);
    }
  });
});
