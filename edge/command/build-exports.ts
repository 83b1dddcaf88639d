// Builds what other programs import of this package, `./client` and `./beacon`: JavaScript and its types, in .dist.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const entries = ["edge/sender/client.ts", "edge/beacon/beacon.ts"];

rmSync(`${root}/.dist`, { recursive: true, force: true });
for (const entry of entries) {
  // The browser's target, since it assumes nothing that a runtime may lack.
  await Bun.build({ entrypoints: [`${root}/${entry}`], target: "browser", outdir: `${root}/.dist` });
}
const flags = "--noEmit false --emitDeclarationOnly --declaration";
const { status, stdout } = spawnSync(
  process.execPath,
  [
    ...[
      `${root}/node_modules/typescript/bin/tsc`,
      ...entries,
      "--ignoreConfig",
      "--rootDir",
      ".",
      "--outDir",
      ".dist/types",
    ],
    ...[...flags.split(" "), "--target", "esnext", "--module", "preserve", "--moduleResolution", "bundler"],
    ...[
      "--lib",
      "esnext,dom,dom.iterable",
      "--types",
      "",
      "--strict",
      "--skipLibCheck",
      "--allowImportingTsExtensions",
    ],
  ],
  { cwd: root, encoding: "utf8" },
);
if (status !== 0) {
  console.error(stdout);
  process.exit(1);
}

// Declarations name their neighbours as the sources do; there are only declarations here.
const types = join(root, ".dist/types");
for (const name of readdirSync(types, { recursive: true, encoding: "utf8" })) {
  if (!name.endsWith(".d.ts")) continue;
  const text = readFileSync(join(types, name), "utf8");
  writeFileSync(join(types, name), text.replaceAll(/(from "\.[^"]*)\.ts"/g, '$1.js"'));
}
