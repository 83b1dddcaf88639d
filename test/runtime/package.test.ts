// The package as others get it: packed, installed, and what it exports imported on three runtimes.
import { execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openScene } from "../edge/dialect/scene.ts";
import { describeOn, findDeno, findNode } from "../services/runtimes.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const [node, deno] = await Promise.all([findNode(), findDeno()]);

const program = `
  import { createClient } from "weir/client";
  import { weir } from "weir/beacon";
  weir("init", { key: "nobody" });
  weir("track", "there is no page here");
  const [url, writeKey, ending] = process.argv.slice(2);
  const client = createClient({ url, writeKey, batchEventsMax: 25, batchWaitMs: 60_000, exitTimeoutMs: 30_000,
    onLost: console.error });
  for (let n = 0; n < 210; n += 1) client.track({ type: "act", payload: { n } });
  if (ending === "close") console.log(JSON.stringify(await client.close({ timeoutMs: 30_000 })));
`;
const typed = `
  import { createClient, type EventsOf } from "weir/client";
  import { weir } from "weir/beacon";
  const declared = [{ type: "act", payload: { properties: { n: { type: "integer" } }, required: ["n"] } }] as const;
  const client = createClient<EventsOf<typeof declared>>({ url: "", writeKey: "" });
  client.track({ type: "act", payload: { n: 1 } });
  // @ts-expect-error n is a number
  client.track({ type: "act", payload: { n: "1" } });
  weir("track", "act");
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "weir-package-"));
  const packed = join(folder, "packed");
  await mkdir(packed);
  await run("npm", ["pack", "--pack-destination", packed], { cwd: root });
  const app = { name: "app", version: "1.0.0", private: true, type: "module" };
  await writeFile(join(folder, "package.json"), JSON.stringify(app));
  const words = [
    "install",
    "--ignore-scripts",
    "--omit=optional",
    "--prefer-offline",
    "--no-audit",
    "--no-fund",
  ];
  await run("npm", [...words, join(packed, "weir-0.1.0.tgz")], { cwd: folder });
  await writeFile(join(folder, "program.mjs"), program);
  await writeFile(join(folder, "typed.ts"), typed);
}, 240_000);
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe("the types of what the package exports", () => {
  it("are there, for a program with the strictest settings", async () => {
    const words = [
      "--noEmit",
      "--strict",
      "--module",
      "nodenext",
      "--target",
      "esnext",
      "--types",
      "",
      "typed.ts",
    ];
    await run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), ...words], { cwd: folder });
  }, 60_000);
});

const suite =
  (words: readonly string[]) =>
  (path: string): void => {
    it.each(["close", "end by itself"])(
      "a program may %s, and every event is stored once",
      async (ending) => {
        const scene = await openScene();
        scene.faults.push(
          { status: 503 },
          "cut",
          { status: 429, headers: { "retry-after": "1" } },
          { status: 200 },
          "cut",
        );
        // Not waited for at once, since the edge it speaks to is in this process.
        const child = spawn(path, [...words, "program.mjs", scene.url, scene.writeKey, ending], {
          cwd: folder,
        });
        let said = "";
        for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
        const code = await new Promise((resolve) => child.once("exit", resolve));
        expect([code, said.replace(/\{.*\}\n/, "")]).toEqual([0, ""]);
        const numbers = scene.stored().map(({ payload }) => (JSON.parse(payload) as { n: number }).n);
        expect(numbers).toEqual(Array.from({ length: 210 }, (_, n) => n));
        expect(scene.received()).toBeGreaterThan(210);
        expect(scene.packed()).toBeGreaterThan(210 / 25);
        if (ending === "close") expect(JSON.parse(said)).toMatchObject({ tracked: 210, waiting: 0, lost: 0 });
        await scene.close();
      },
      60_000,
    );
  };

describeOn({ path: process.execPath }, "the package on Bun", suite([]));
describeOn(node, "the package on Node", suite([]));
describeOn(deno, "the package on Deno", suite(["run", "--allow-all", "--no-lock"]));
