// The edge's README does what it says: each of its commands is run here, those that would deploy with --dry-run.
import { readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { settingNames } from "../../shared/settings.ts";
import { describeOn, findDeno, findNode, type Runtime } from "../services/runtimes.ts";
import { deployedBundle, root, spawned, wrangler } from "./edges.ts";
import { startUpstream } from "./upstream.ts";

const [node, deno] = await Promise.all([findNode(), findDeno()]);
const readme = readFileSync(join(root, "edge/README.md"), "utf8");
const commands = [...readme.matchAll(/```sh\n([\s\S]+?)```/g)].flatMap(([, text]) =>
  text!.trim().split("\n"),
);

/** Started, and an edge then: the program it needs, and what there is of it here. */
const starts: Readonly<Record<string, Runtime>> = {
  "deno task --config edge/deno.json start": deno,
  "deno task --config edge/deno.json serve": deno,
  "node edge/adapter/start.ts": node,
  "bun edge/adapter/start.ts": { path: process.execPath },
};
const wranglers: Readonly<Record<string, readonly string[]>> = {
  "npx wrangler deploy --config edge/wrangler.jsonc": ["--dry-run"],
  "npx wrangler secret put WEIR_EDGE_SECRET --config edge/wrangler.jsonc": ["--help"],
};
/** They change nothing here, or what every run of the tests does first. */
const plain = ["openssl rand -hex 32", "npm install"];

describe("the edge's README", () => {
  it("has no command that is not run here", () => {
    const known = [...Object.keys(starts), ...Object.keys(wranglers), ...plain];
    expect([...new Set(commands)].sort()).toEqual(known.sort());
  });

  it.each(Object.entries(wranglers))(
    "%s",
    (command, more) => {
      const said = wrangler([...command.split(" ").slice(2), ...more]);
      expect(said).toContain(
        more[0] === "--dry-run" ? "--dry-run: exiting now." : "wrangler secret put <key>",
      );
    },
    120_000,
  );

  it("names settings that there are", () => {
    const named = [...readme.matchAll(/\bWEIR_[A-Z_]+[A-Z]\b/g)].map(([name]) => name.replace(/_FILE$/, ""));
    expect(named.filter((name) => !settingNames.includes(name))).toEqual([]);
  });

  it("names files that there are", () => {
    const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, path]) =>
      join(root, "edge", path!),
    );
    for (const path of links) expect(statSync(path).size, path).toBeGreaterThan(0);
  });
});

for (const [command, runtime] of Object.entries(starts)) {
  describeOn(runtime, `the README's ${command}`, (path) => {
    it("is an edge", async () => {
      const upstream = await startUpstream();
      const [, ...words] = command.split(" ");
      const port = words.at(-1) === "serve" ? { DENO_SERVE_ADDRESS: "tcp:127.0.0.1:0" } : {};
      // The task calls deno by its name.
      const PATH = `${dirname(path)}:${process.env["PATH"]}`;
      const edge = await spawned(path, words, { ...upstream.settings, ...port, PATH });
      expect((await fetch(`${edge.url}/livez`)).status).toBe(200);
      await edge.kill();
      await upstream.close();
    }, 60_000);
  });
}

describe("a Worker", () => {
  it("is at most 60 KiB, gzipped, as it is deployed", () => {
    const bytes = gzipSync(readFileSync(deployedBundle()), { level: 9 }).length;
    console.log(`the Worker's bundle: ${bytes} bytes gzipped`);
    expect(bytes).toBeLessThanOrEqual(60 * 1024);
    expect(bytes).toBeGreaterThan(20 * 1024);
  }, 120_000);
});
