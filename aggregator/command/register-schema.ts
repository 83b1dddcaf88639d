// The commands over governed types: declare what a payload may hold, look at it, and write it as TypeScript.
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { exitCode, MisuseError, print, runCommand } from "../../shared/command.ts";
import { identifierLengthMax } from "../../shared/limits.ts";
import { declareTypes, readDeclarations } from "../schema/declare.ts";
import { readGoverned } from "../schema/read.ts";
import { typesModule } from "../schema/typescript.ts";
import type { Store } from "../store/store.ts";
import { jsonFlag } from "./on-store.ts";
import type { AggregatorCommands } from "./register.ts";

interface Flags {
  project: string;
  json?: boolean;
}

const project = ["--project <project>", "project the types are of", "default"] as const;

/** Adds the commands to the program. */
export function registerSchema(program: Command, deps: AggregatorCommands): void {
  const schema = program.command("schema").description("governed types: what a payload of a type may hold");
  schema
    .command("declare")
    .description("declare types from a JSON file, or amend the schemas of those declared before")
    .argument("<file>", "one { type, version?, payload?, identity? } or a list of them")
    .option(...project)
    .option(...jsonFlag)
    .action((file: string, flags: Flags) => runCommand(() => withStore(deps, flags, declare(file))));
  schema
    .command("list")
    .description("list the governed types and their versions")
    .option(...project)
    .option(...jsonFlag)
    .action((flags: Flags) => runCommand(() => withStore(deps, flags, list)));
  schema
    .command("types")
    .description("write them as a TypeScript module for typed clients")
    .option(...project)
    .option(...jsonFlag)
    .action((flags: Flags) => runCommand(() => withStore(deps, flags, types)));
}

const declare =
  (file: string) =>
  async (store: Store, flags: Flags): Promise<number> => {
    const declared = await declareTypes(store, flags.project, readDeclarations(readText(file)));
    print(flags.json === true, { project: flags.project, types: declared }, () =>
      declared.map(({ type, version, change }) => `${type} version ${version}: ${change}`).join("\n"),
    );
    return exitCode.fine;
  };

async function list(store: Store, flags: Flags): Promise<number> {
  const found = await typesOf(store, flags);
  print(flags.json === true, { project: flags.project, types: found }, () =>
    found.length === 0
      ? `project ${flags.project} has no governed types`
      : found
          .map(({ type, version, identity }) =>
            identity === null
              ? `${type} version ${version}`
              : `${type} version ${version}, one in ${identity.window_ms} ms`,
          )
          .join("\n"),
  );
  return exitCode.fine;
}

async function types(store: Store, flags: Flags): Promise<number> {
  const module = typesModule(flags.project, await typesOf(store, flags));
  print(flags.json === true, { project: flags.project, module }, () => module.trimEnd());
  return exitCode.fine;
}

const typesOf = async (store: Store, flags: Flags) =>
  (await readGoverned(store.sql, flags.project)).get(flags.project) ?? [];

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new MisuseError(`${file}: cannot be read`);
  }
}

async function withStore(
  deps: AggregatorCommands,
  flags: Flags,
  work: (store: Store, flags: Flags) => Promise<number>,
): Promise<number> {
  if (flags.project === "" || flags.project.length > identifierLengthMax) {
    throw new MisuseError(`--project: needs 1 to ${identifierLengthMax} characters`);
  }
  const store = await deps.openStore();
  try {
    return await work(store, flags);
  } finally {
    await store.close();
  }
}
