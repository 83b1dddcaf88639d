// The rules of the house, checked on the tree as it stands; each is first shown a bad example it must find.
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readTree } from "./support/source.ts";
import * as named from "./support/tidy.ts";

const rules: Readonly<Record<keyof typeof named, named.Rule>> = { ...named };
const tree = readTree(join(import.meta.dirname, ".."));
const words = (...parts: string[]): string => parts.join("");
const bodyOf = (lines: number): string => `${"  run();\n".repeat(lines)}`;

/** One case: the rule, the files it is shown, and where it must object; an empty list is a good example. */
type Case = [rule: keyof typeof rules, name: string, files: Record<string, string>, found: string[]];

const cases: Case[] = [
  [
    "importDirections",
    "one process in another",
    { "edge/a.ts": 'import "../collector/b.ts";', "collector/b.ts": "" },
    ["edge/a.ts:1"],
  ],
  [
    "importDirections",
    "a process in shared",
    { "shared/a.ts": '\nexport * from "../edge/b.ts";', "edge/b.ts": "" },
    ["shared/a.ts:2"],
  ],
  [
    "importDirections",
    "a test in the product",
    { "edge/a.ts": 'await import("../test/b.ts");', "test/b.ts": "" },
    ["edge/a.ts:1"],
  ],
  [
    "importDirections",
    "a type of another process",
    { "edge/a.ts": 'let a: import("../collector/b.ts").B;', "collector/b.ts": "" },
    ["edge/a.ts:1"],
  ],
  ["importDirections", "a file that is not there", { "edge/a.ts": 'import "./b.ts";' }, ["edge/a.ts:1"]],
  [
    "importDirections",
    "the right way",
    {
      "weir.ts": 'import "./edge/a.ts";',
      "edge/a.ts": 'import "../shared/b.ts"; import "hono";',
      "shared/b.ts": "",
    },
    [],
  ],
  [
    "edgeIsPortable",
    "the impure part of shared",
    { "edge/a.ts": 'import "../shared/log/log.ts";' },
    ["edge/a.ts:1"],
  ],
  [
    "edgeIsPortable",
    "a runtime's own module",
    { "edge/a.ts": 'import "node:fs";', "shared/wire/b.ts": 'import "bun:sqlite";' },
    ["edge/a.ts:1", "shared/wire/b.ts:1"],
  ],
  [
    "edgeIsPortable",
    "a runtime's own global",
    { "edge/a.ts": "\n\nBun.gunzipSync(x);", "edge/b.ts": "Buffer.from(x)" },
    ["edge/a.ts:3", "edge/b.ts:1"],
  ],
  [
    "edgeIsPortable",
    "an adapter, and words in comments",
    { "edge/adapter/bun.ts": 'import "bun";', "edge/a.ts": "// not Bun.serve\nlet a;" },
    [],
  ],
  [
    "driversAreOpenedOnce",
    "a step that names a driver",
    { "collector/collect.ts": 'import "./claims/redis.ts";' },
    ["collector/collect.ts:1"],
  ],
  [
    "driversAreOpenedOnce",
    "a driver that names another",
    { "shared/log/sqlite.ts": 'import "../../collector/claims/redis.ts";' },
    ["shared/log/sqlite.ts:1"],
  ],
  [
    "driversAreOpenedOnce",
    "the places that may, and a driver's own parts",
    {
      "shared/log/open.ts": 'import "./kafka.ts";',
      "collector/main.ts": 'import "./claims/redis.ts";',
      "shared/log/kafka/kafka.ts": 'import "./kafka-lane.ts"; import "../log.ts";',
    },
    [],
  ],
  [
    "environmentIsReadOnce",
    "a step that reads the environment",
    { "edge/gate.ts": "\nprocess.env.X", "edge/adapter/bun.ts": "Bun.env.X" },
    ["edge/gate.ts:2"],
  ],
  [
    "filesAreShort",
    "201 lines",
    { "edge/a.ts": "run();\n".repeat(201), "edge/b.ts": "run();\n".repeat(200) },
    ["edge/a.ts:201"],
  ],
  [
    "functionsAreShort",
    "71 lines",
    { "edge/a.ts": `\nfunction a() {\n${bodyOf(69)}}\nfunction b() {\n${bodyOf(68)}}` },
    ["edge/a.ts:2"],
  ],
  [
    "functionsAreShort",
    "an arrow and a method",
    { "edge/a.ts": `const a = () => {\n${bodyOf(69)}};\nconst b = {\nc() {\n${bodyOf(69)}} };` },
    ["edge/a.ts:1", "edge/a.ts:73"],
  ],
  [
    "functionsAreShort",
    "141 lines of functions within one",
    {
      "edge/a.ts": `function a() {\nreturn {\nb() {\n${bodyOf(67)}},\nc() {\n${bodyOf(67)}} } }`,
      "edge/b.ts": `function a() {\nreturn {\nb() {\n${bodyOf(67)}},\nc() {\n${bodyOf(68)}} } }`,
    },
    ["edge/b.ts:1"],
  ],
  [
    "namesSaySomething",
    "file names",
    { "edge/utils.ts": "", "shared/string-helper.ts": "", "edge/data.ts": "", "edge/gate.ts": "" },
    ["edge/utils.ts:1", "shared/string-helper.ts:1", "edge/data.ts:1"],
  ],
  [
    "namesSaySomething",
    "exported names",
    {
      "edge/a.ts": "export class EventManager {}\nexport type { a as timestamp };\nexport const dataDir = 1;",
    },
    ["edge/a.ts:1", "edge/a.ts:2"],
  ],
  [
    "nothingIsDead",
    "a file that nothing imports",
    { "edge/a.ts": "", "edge/b.ts": "", "edge/adapter/bun.ts": 'import "../b.ts";' },
    ["edge/a.ts:1"],
  ],
  [
    "nothingIsDead",
    "a file that only a text names",
    { "edge/page.ts": "", "edge/adapter/bun.ts": 'Bun.build(["./page.ts"])' },
    [],
  ],
  [
    "rootIsFixed",
    "new names at the top",
    { "lib/a.ts": "", Makefile: "", ".ci/run": "", "edge/a.ts": "", "README.md": "" },
    ["lib/a.ts:1", "Makefile:1"],
  ],
  [
    "filesIntroduceThemselves",
    "no sentence",
    { "edge/a.ts": "import 'x';", "edge/b.ts": "// a b\n", "sql/a.sql": "select 1;" },
    ["edge/a.ts:1", "edge/b.ts:1", "sql/a.sql:1"],
  ],
  [
    "filesIntroduceThemselves",
    "a sentence, over two lines too",
    { "edge/a.ts": "// What an event\n// is.\nlet a;", "sql/a.sql": "-- Events.\nselect 1;" },
    [],
  ],
  [
    "lockNamesNoHost",
    "an address, and a second lock file",
    { "package-lock.json": '{\n"resolved": "x"}', "bun.lock": "" },
    ["package-lock.json:2", "bun.lock:1"],
  ],
  [
    "noMachineIsNamed",
    "a path",
    { "README.md": words("\nin /wo", "rk/main/"), "test/a.ts": words('"/ho', 'me/me/x"') },
    ["README.md:2", "test/a.ts:1"],
  ],
  [
    "noMachineIsNamed",
    "a registry",
    { ".npmrc": words("registry=https://registry.np", "mjs.org/") },
    [".npmrc:1"],
  ],
  [
    "everyTestRuns",
    "a test left out",
    { "test/a.test.ts": words("it", ".on", 'ly("a");\ndescribe', ".sk", "ip.each([]);") },
    ["test/a.test.ts:1", "test/a.test.ts:2"],
  ],
  ["nothingIsUnfinished", "a leftover", { "edge/a.ts": words("\n// TO", "DO: more") }, ["edge/a.ts:2"]],
];

describe("a rule can fail", () => {
  it.each(cases)("%s: %s", (rule, _, files, found) => {
    const places = rules[rule](new Map(Object.entries(files))).map((finding) => finding.split(" ")[0]);
    expect(places).toEqual(found);
  });

  it("and each has an example of it", () => {
    const shown = new Set(cases.filter(([, , , found]) => found.length > 0).map(([rule]) => rule));
    expect(Object.keys(rules).filter((rule) => !shown.has(rule as keyof typeof rules))).toEqual([]);
  });
});

describe("the tree keeps", () => {
  it.each(Object.keys(rules) as (keyof typeof rules)[])("%s", (rule) => {
    expect(rules[rule](tree)).toEqual([]);
  });
});
