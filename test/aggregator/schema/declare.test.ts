// Governed types are declared, amended and written as TypeScript; what decides an identity never changes.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answer } from "../../../aggregator/read/answer.ts";
import { schemas } from "../../../aggregator/read/schemas.ts";
import { declareTypes, readDeclarations } from "../../../aggregator/schema/declare.ts";
import { readGoverned } from "../../../aggregator/schema/read.ts";
import { typesModule } from "../../../aggregator/schema/typescript.ts";
import { migrate } from "../../../aggregator/store/migrate.ts";
import { openStore } from "../../../aggregator/store/open.ts";
import type { Store } from "../../../aggregator/store/store.ts";

let store: Store;
let dataDir: string;

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "weir-schema-"));
  store = await openStore("embedded:", { schema: "weir", dataDir });
  await migrate(store);
});

afterAll(async () => {
  await store?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const purchase = {
  type: "purchase",
  payload: {
    type: "object",
    properties: {
      sku: { type: "string" },
      revenue: { type: "number" },
      plan: { enum: ["free", "pro"] },
      tags: { type: "array", items: { type: "string" } },
      gift: { type: "object", properties: { to: { type: ["string", "null"] } }, additionalProperties: false },
    },
    required: ["sku", "revenue"],
    additionalProperties: false,
  },
};

const declare = (value: unknown, project = "shop") =>
  declareTypes(store, project, readDeclarations(JSON.stringify(value)));

describe("governed types", () => {
  it("are declared once, and told apart by type, version and project", async () => {
    expect(await declare([purchase, { ...purchase, version: 2 }])).toEqual([
      { type: "purchase", version: 1, change: "declared" },
      { type: "purchase", version: 2, change: "declared" },
    ]);
    expect(await declare(purchase)).toEqual([{ type: "purchase", version: 1, change: "unchanged" }]);
    await declare({ type: "visit" }, "blog");
    const found = await readGoverned(store.sql);
    expect([...found.keys()]).toEqual(["blog", "shop"]);
    expect(found.get("shop")).toMatchObject([
      { version: 1, payload: purchase.payload, identity: null },
      { version: 2 },
    ]);
    expect((await readGoverned(store.sql, "blog")).size).toBe(1);
  });

  it("are asked for by project", async () => {
    await declare({ ...purchase, identity: { window_ms: 60_000, discriminator: "sku" } }, "asked");
    const { data } = await answer(store.sql, schemas, { project: ["asked"] });
    expect(data).toEqual([
      {
        project: "asked",
        type: "purchase",
        version: 1,
        payload: expect.any(String),
        window_ms: 60_000,
        discriminator: "sku",
        declared_at: expect.stringMatching(/Z$/),
        amended_at: null,
      },
    ]);
    expect(JSON.parse(String(data[0]!["payload"]))).toEqual(purchase.payload);
    for (const row of data) schemas.row.parse(row);
  });

  it("may have their payload amended", async () => {
    await declare({ type: "signup" }, "amended");
    expect(await declare({ type: "signup", payload: { required: ["plan"] } }, "amended")).toMatchObject([
      { change: "amended" },
    ]);
  });

  it("keep their identity for ever, and a refused file changes nothing", async () => {
    const ping = { type: "ping", identity: { window_ms: 60_000 } };
    await declare(ping, "fixed");
    await expect(declare([{ type: "pong" }, { type: "ping" }], "fixed")).rejects.toThrow("is fixed");
    await expect(declare({ ...ping, identity: { window_ms: 61_000 } }, "fixed")).rejects.toThrow("is fixed");
    expect((await readGoverned(store.sql, "fixed")).get("fixed")).toMatchObject([
      { type: "ping", identity: { window_ms: 60_000, discriminator: null } },
    ]);
  });

  it.each([
    ["no JSON", "{", "no JSON"],
    ["a name that is unknown", '{"type":"a","schema":{}}', "schema"],
    ["no type", '{"payload":{}}', "type"],
    ["a keyword that is not read", '{"type":"a","payload":{"if":{}}}', "a version 1: Conditional"],
    ["a reference to elsewhere", '{"type":"a","payload":{"properties":{"b":{"$ref":"http://c"}}}}', "$ref"],
    ["a type that there is not", '{"type":"a","payload":{"properties":{"b":{"type":"strin"}}}}', "strin"],
    [
      "a pattern that is none",
      '{"type":"a","payload":{"properties":{"b":{"type":"string","pattern":"("}}}}',
      "regular",
    ],
    ["a payload that is no object", '{"type":"a","payload":{"type":"string"}}', "a payload is an object"],
    [
      "a schema over its bound",
      JSON.stringify({ type: "a", payload: { title: "x".repeat(70_000) } }),
      "bytes",
    ],
    ["a window below a second", '{"type":"a","identity":{"window_ms":5}}', "window_ms"],
  ])("are refused with %s", (_, text, told) => {
    expect(() => readDeclarations(text)).toThrow(told);
  });

  it("are written as the README shows", () => {
    const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
    const [, declared = ""] = /```json schema\n([^`]+)```/.exec(readme) ?? [];
    const [, written = ""] = /```ts schema\n([^`]+)```/.exec(readme) ?? [];
    expect(typesModule("default", readDeclarations(declared))).toContain(written);
  });

  it("become a TypeScript module that the compiler takes", async () => {
    const module = typesModule("shop", readDeclarations(JSON.stringify([purchase, { type: "any-thing" }])));
    writeFileSync(join(dataDir, "events.ts"), module);
    const used = (line: string): string =>
      `import type { Events } from "./events.ts";\nexport const made: Events["purchase"] = ${line};\n`;
    writeFileSync(
      join(dataDir, "fine.ts"),
      used('{ sku: "a", revenue: 1, plan: "pro", gift: { to: null } }'),
    );
    writeFileSync(join(dataDir, "wrong.ts"), used('{ sku: "a", revenue: "1", colour: "red" }'));
    expect(await compile("fine.ts")).toBe("");
    expect(await compile("wrong.ts")).toContain("TS2322");
  });
});

async function compile(file: string): Promise<string> {
  const compiler = new URL("../../../node_modules/typescript/bin/tsc", import.meta.url).pathname;
  const flags = ["--noEmit", "--strict", "--allowImportingTsExtensions", "--ignoreConfig"];
  const child = Bun.spawn([process.execPath, compiler, ...flags, file], { cwd: dataDir, stdout: "pipe" });
  return await new Response(child.stdout).text();
}
