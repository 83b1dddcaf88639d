// The rules of the house as functions of the tree: each answers its findings as `path:line what is wrong`.
import { dirname, join, normalize } from "node:path";
import { factsOf, type Place, type Tree } from "./source.ts";

export type Rule = (tree: Tree) => string[];

const linesMax = 200;
const functionLinesMax = 70;
/** One that makes an object out of functions, each of which counts for itself, as a class's methods would. */
const makerLinesMax: number = 2 * functionLinesMax;
const processes = ["edge", "collector", "aggregator"];

const isSource = (path: string): boolean => path.endsWith(".ts");
/** Files whose size and names are ours to rule; tests may be as long and as plain as they need. */
const isRuled = (path: string): boolean => isSource(path) && !path.startsWith("test/");
const areaOf = (path: string): string => (path.includes("/") ? path.slice(0, path.indexOf("/")) : "root");

/** One finding for each place that `wrong` objects to, in every file that `chosen` picks. */
function findings(
  tree: Tree,
  chosen: (path: string) => boolean,
  wrong: (path: string, text: string) => readonly Place[],
): string[] {
  return [...tree]
    .filter(([path]) => chosen(path))
    .flatMap(([path, text]) => wrong(path, text).map((place) => `${path}:${place.line} ${place.text}`));
}

/** The file an import means, or undefined for a package. */
function target(path: string, imported: string): string | undefined {
  return imported.startsWith(".") ? normalize(join(dirname(path), imported)) : undefined;
}

/** Every line that matches, with the words to say about it. */
function matching(text: string, pattern: RegExp, say: (found: string) => string): Place[] {
  return text.split("\n").flatMap((line, at) => {
    const found = pattern.exec(line);
    return found === null ? [] : [{ line: at + 1, text: say(found[0]) }];
  });
}

/** Processes meet in shared/ alone; shared/ knows none of them; nothing of ours leans on a test. */
export const importDirections: Rule = (tree) =>
  findings(tree, isSource, (path, text) =>
    factsOf(text).imports.flatMap(({ line, text: imported }) => {
      const to = target(path, imported);
      if (to === undefined) return [];
      const [from, into] = [areaOf(path), areaOf(to)];
      const wrong =
        (processes.includes(from) && processes.includes(into) && from !== into) ||
        (from === "shared" && into !== "shared") ||
        (from !== "test" && path !== "vitest.config.ts" && into === "test") ||
        (from !== "test" && to === "weir.ts");
      const lost = !tree.has(to) && !/\.(json|sql|html|css|js|txt)$/.test(to);
      if (wrong) return [{ line, text: `imports ${to}, which ${from} may not` }];
      return lost ? [{ line, text: `imports ${to}, which is not there` }] : [];
    }),
  );

/** What of shared/ runs on any runtime, and so may be part of an edge. */
const pureShared = /^shared\/((event|wire)\/|(problem|config|limits|clock|retry|settings|meter|logger)\.ts$)/;
/** Where the edge knows its runtime: adapters, the start that picks one, and commands, which run at a desk. */
const runtimeBound = /^edge\/(adapter\/|command\/|main\.ts$)/;

/** The edge and all it takes from shared/ run on Workers, Deno, Bun and Node alike. */
export const edgeIsPortable: Rule = (tree) =>
  findings(
    tree,
    (path) =>
      (isSource(path) && path.startsWith("edge/") && !runtimeBound.test(path)) || pureShared.test(path),
    (path, text) => [
      ...factsOf(text).imports.flatMap(({ line, text: imported }) => {
        const to = target(path, imported);
        if (to === undefined) {
          const bound = /^(node:|bun(:|$))/.test(imported);
          return bound ? [{ line, text: `imports ${imported}, which not every runtime has` }] : [];
        }
        if (areaOf(to) === "shared" && !pureShared.test(to)) {
          return [{ line, text: `imports ${to}, which is not in the pure part of shared/` }];
        }
        return runtimeBound.test(to) ? [{ line, text: `imports ${to}, which is bound to a runtime` }] : [];
      }),
      ...matching(
        text.replaceAll(/\/\/.*|\/\*[\s\S]*?\*\//g, blank),
        /\b(Bun|Deno|process)\.\w+|\bBuffer\b/,
        (found) => {
          return `uses ${found}, which not every runtime has`;
        },
      ),
    ],
  );

const driver =
  /(^|\/)(log|claims|store|buffer)\/(redis|upstash|https|sqlite|memory|kafka|postgres|embedded|durable-object)\b/;
const namesDrivers = /(^|\/)(main|open)\.ts$|^edge\/adapter\/|^weir\.ts$|^test\//;

/** A driver is chosen in one place, so that no step can come to depend on one. */
export const driversAreOpenedOnce: Rule = (tree) =>
  findings(
    tree,
    (path) => isSource(path) && !namesDrivers.test(path),
    (path, text) =>
      factsOf(text).imports.flatMap(({ line, text: imported }) => {
        const to = target(path, imported);
        // A driver of several files may name its own parts.
        if (
          to === undefined ||
          !driver.test(to) ||
          (driver.test(path) && dirname(to).startsWith(dirname(path)))
        )
          return [];
        return [{ line, text: `names the driver ${to}; only main, adapter, open.ts and weir.ts may` }];
      }),
  );

/** The environment is read once, where a process or a command begins. */
export const environmentIsReadOnce: Rule = (tree) =>
  findings(
    tree,
    (path) =>
      isRuled(path) &&
      !/(^|\/)main\.ts$|^edge\/adapter\/|^weir\.ts$|^vitest\.config\.ts$|^shared\/command\.ts$/.test(path),
    (_, text) =>
      matching(
        text,
        /\b(process|Bun|Deno|import\.meta)\.env\b/,
        (found) => `reads ${found} outside main, adapter, weir.ts and shared/command.ts`,
      ),
  );

export const filesAreShort: Rule = (tree) =>
  findings(tree, isRuled, (_, text) => {
    const lines = text.trimEnd().split("\n").length;
    return lines > linesMax
      ? [{ line: linesMax + 1, text: `the file has ${lines} lines; ${linesMax} are the limit` }]
      : [];
  });

export const functionsAreShort: Rule = (tree) =>
  findings(tree, isRuled, (_, text) =>
    factsOf(text).functions.flatMap(({ line, lines, ownLines, name }) => {
      if (ownLines > functionLinesMax) {
        return [
          { line, text: `${name} has ${ownLines} lines of its own; ${functionLinesMax} are the limit` },
        ];
      }
      return lines > makerLinesMax
        ? [{ line, text: `${name} has ${lines} lines with all inside it; ${makerLinesMax} are the limit` }]
        : [];
    }),
  );

const bannedWords = /^(managers?|helpers?|utils?|common|misc|services?|processors?|handler2|messages?)$/;
const bannedWhole = /^(data|info|timestamp)$/;
const wordsOf = (name: string): string[] =>
  name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .split(/[\s._-]+/)
    .map((word) => word.toLowerCase());
const isBanned = (name: string): boolean =>
  bannedWhole.test(name.toLowerCase()) || wordsOf(name).some((word) => bannedWords.test(word));

/** Words that say nothing, or that mean something else here. */
export const namesSaySomething: Rule = (tree) =>
  findings(tree, isRuled, (path, text) => [
    ...path
      .replace(/\.ts$/, "")
      .split("/")
      .filter(isBanned)
      .map((part) => ({ line: 1, text: `"${part}" is no name for a file or folder` })),
    ...factsOf(text)
      .exports.filter((name) => isBanned(name.text))
      .map(({ line, text: name }) => ({ line, text: `"${name}" is no name for an export` })),
  ]);

const entries =
  /^weir\.ts$|^vitest\.config\.ts$|^edge\/adapter\/[^/]+\.ts$|(^|\/)main\.ts$|\.test\.ts$|^test\/bench\/run\.ts$/;

/** A file that nothing begins with and nothing names is dead. */
export const nothingIsDead: Rule = (tree) => {
  const alive = new Set<string>();
  for (const [path, text] of tree) {
    if (!isSource(path)) continue;
    for (const imported of factsOf(text).imports) alive.add(target(path, imported.text) ?? "");
  }
  const isNamed = (path: string): boolean => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    // A page, a worker or a spawned program is named in a text, not imported.
    return [...tree].some(
      ([other, text]) => other !== path && new RegExp(`["'\`/]${name.replace(".", "\\.")}["'\`]`).test(text),
    );
  };
  return findings(
    tree,
    (path) => isSource(path) && !entries.test(path) && !alive.has(path) && !isNamed(path),
    () => [{ line: 1, text: "nothing imports this file" }],
  );
};

const rootFolders = ["edge", "collector", "aggregator", "shared", "sql", "test"];
const rootFiles = [
  ..."weir weir.ts package.json package-lock.json bunfig.toml biome.json tsconfig.json vitest.config.ts".split(
    " ",
  ),
  ..."docker-compose.yml LICENSE README.md ARCHITECTURE.md AGENTS.md CONTRIBUTING.md CHANGELOG.md".split(" "),
];

/** The top level is fixed; what has a dot in front is a tool's own. */
export const rootIsFixed: Rule = (tree) =>
  findings(
    tree,
    (path) =>
      !path.startsWith(".") && !(path.includes("/") ? rootFolders : rootFiles).includes(path.split("/")[0]!),
    (path) => [{ line: 1, text: `${path.split("/")[0]} has no place at the top level` }],
  );

/** The first line of a program is a sentence that says what the file is. */
export const filesIntroduceThemselves: Rule = (tree) =>
  findings(
    tree,
    (path) => isSource(path) || path.endsWith(".sql"),
    (path, text) => {
      const mark = path.endsWith(".sql") ? "-- " : "// ";
      const lines = text.replace(/^#!.*\n/, "").split("\n");
      const end = lines.findIndex((line) => !line.startsWith(mark));
      const opening = lines
        .slice(0, Math.max(end, 0))
        .map((line) => line.slice(mark.length))
        .join(" ");
      return /^["`A-Z0-9].*[.:?!](\s|$)/.test(opening)
        ? []
        : [{ line: 1, text: "does not begin with a sentence about itself" }];
    },
  );

/** One lock file, good behind any registry. */
export const lockNamesNoHost: Rule = (tree) => [
  ...findings(
    tree,
    (path) => /(^|\/)package-lock\.json$/.test(path),
    (_, text) =>
      matching(text, /"resolved"|https?:\/\/[^"]*\.tgz/, (found) => `the lock file holds ${found}`),
  ),
  ...findings(
    tree,
    (path) => /(^|\/)(bun\.lockb?|yarn\.lock|pnpm-lock\.yaml|npm-shrinkwrap\.json)$/.test(path),
    () => [{ line: 1, text: "is a second lock file" }],
  ),
];

const elsewhere =
  /(^|[\s"'`=:(])\/(work|farm|root|home\/[a-z]+|Users\/\w+|tmp\/\w+)\/|\b(registry\.(npmjs|yarnpkg)|repo1?\.maven|pypi)\.[a-z.]+|\bartifactory\b/;

/** Nothing says on which machine it was written, or where its packages came from. */
export const noMachineIsNamed: Rule = (tree) =>
  findings(
    tree,
    () => true,
    (_, text) => matching(text, elsewhere, (found) => `names a machine or a registry: ${found.trim()}`),
  );

/** Where it is told which service or browser is missing, and that its suites are not run. */
const namesMissing = /^test\/(support\/services|browser\/browser)\.ts$/;

/** A test that does not run proves nothing. */
export const everyTestRuns: Rule = (tree) =>
  findings(
    tree,
    (path) => path.startsWith("test/") && isSource(path) && !namesMissing.test(path),
    (_, text) =>
      matching(
        text,
        /\b(describe|it|test|suite|bench)(\.\w+)*\.(only|skip|todo)\b/,
        (found) => `${found} keeps tests from running`,
      ),
  );

/** What is left for later belongs in the tracker, not in the code. */
export const nothingIsUnfinished: Rule = (tree) =>
  findings(tree, isSource, (_, text) =>
    matching(text, /\b(TO[D]O|FIX[M]E|XX[X])\b/, (found) => `${found} is left over`),
  );

const blank = (text: string): string => text.replaceAll(/[^\n]/g, " ");
