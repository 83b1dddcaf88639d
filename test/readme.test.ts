// The documents keep to the code: tables are made from it, commands and links in them exist.
// UPDATE=1 writes the tables instead of comparing them.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readParameters } from "../aggregator/read/answer.ts";
import { questions } from "../aggregator/read/questions.ts";
import { settingNames } from "../shared/settings.ts";
import { testEdge } from "./edge/support.ts";
import { blocks, regenerate } from "./support/readme.ts";

const root = join(import.meta.dirname, "..");
const documents = [
  ...["README.md", "ARCHITECTURE.md", "AGENTS.md", "CONTRIBUTING.md", "CHANGELOG.md"],
  ...["test/README.md", "shared/README.md"],
].map((path) => [path, readFileSync(join(root, path), "utf8")] as const);
const readme = documents[0]![1];

describe("the README's tables", () => {
  it("are those that the code makes", () => {
    const made = regenerate(readme);
    if (process.env["UPDATE"] === "1") writeFileSync(join(root, "README.md"), made);
    else expect(readme, "run UPDATE=1 npm test -- test/readme.test.ts").toBe(made);
  });

  it.each(Object.keys(blocks))("%s stands in it once", (name) => {
    expect(readme.split(`<!-- generated: ${name} -->`)).toHaveLength(2);
  });

  it("say what every setting is", () => {
    const rows = blocks["settings"]!.split("\n").slice(2);
    expect(rows).toHaveLength(settingNames.length);
    expect(rows.filter((row) => !/\| [A-Z0-9][^|]{8,} \|$/.test(row))).toEqual([]);
  });

  it("are made anew from their old selves, and refuse an unknown name", () => {
    const old = "a\n<!-- generated: refusals -->\n| old |\n<!-- /generated -->\nb";
    expect(regenerate(old)).toContain("`missing_field`");
    expect(regenerate(old)).not.toContain("| old |");
    expect(regenerate(regenerate(old))).toBe(regenerate(old));
    expect(() => regenerate("<!-- generated: nothing -->\n<!-- /generated -->")).toThrow("nothing");
  });
});

describe("the README's first screen", () => {
  const answers = [...readme.matchAll(/```json\n(.+)\n```/g)].map(([, text]) => JSON.parse(text!) as object);

  it("sends an event that the edge takes, and is answered as it says", async () => {
    const [, path = "", body = ""] =
      /curl -s http:\/\/127\.0\.0\.1:8787(\S+) .*\\\n\s+-d '([^']+)'/.exec(readme) ?? [];
    const { post } = await testEdge();
    const response = await post(body, {}, path);
    expect(response.status).toBe(202);
    const told = answers[0] as { batch_id: string };
    expect(await response.json()).toEqual({ ...told, batch_id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    expect(told.batch_id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it("asks a question that there is, and shows an answer of its form", () => {
    const [, name, query] = /curl -s 'http:\/\/127\.0\.0\.1:8789\/v1\/([\w-]+)\?([^']+)'/.exec(readme) ?? [];
    const question = questions.find((each) => each.name === name)!;
    const given = Object.fromEntries([...new URLSearchParams(query)].map(([key, value]) => [key, [value]]));
    expect(readParameters(question.parameters, given)).toMatchObject({ interval: "day" });
    const { data, meta } = answers[1] as { data: unknown[]; meta: object };
    for (const row of data) expect(question.row.strict().parse(row)).toEqual(row);
    expect(Object.keys(meta)).toEqual(["from", "to", "as_of", "watermark"]);
  });
});

describe.each(documents)("%s", (path, text) => {
  it("names settings that there are", () => {
    const named = [...text.matchAll(/\bWEIR_[A-Z_]+[A-Z]\b/g)].map(([name]) => name);
    const unknown = named.filter(
      (name) => !name.startsWith("WEIR_TEST_") && !settingNames.includes(name.replace(/_FILE$/, "")),
    );
    expect(unknown).toEqual([]);
  });

  it("links to files that there are", () => {
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => link!);
    expect(links.filter((link) => !existsSync(join(root, path, "..", link)))).toEqual([]);
  });

  it("names files that there are", () => {
    const named = [...text.matchAll(/`((?:edge|collector|aggregator|shared|sql|test|\.ci)\/[\w./-]+)`/g)];
    const missing = named.map(([, file]) => file!).filter((file) => !existsSync(join(root, file)));
    expect(missing).toEqual([]);
  });

  it("runs scripts that there are", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    const run = [...text.matchAll(/\bnpm (?:run ([\w:]+)|(test|start))\b/g)].map(([, a, b]) => a ?? b!);
    expect(run.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});

it("keeps AGENTS.md to 80 lines", () => {
  const [, text] = documents.find(([path]) => path === "AGENTS.md")!;
  expect(text.trimEnd().split("\n").length).toBeLessThanOrEqual(80);
});
