// The command line of `import`: its words, and what they mean.
import { type Command, Option } from "commander";
import { exitCode, print, runCommand } from "../../shared/command.ts";
import {
  type ImportDeps,
  type ImportDialect,
  type ImportIdentity,
  importDialects,
  importFile,
  importIdentities,
  importText,
} from "./import.ts";
import { parseMap } from "./source/csv-map.ts";
import { type SourceFormat, sourceFormats } from "./source/read-source.ts";

interface ImportFlags {
  format?: SourceFormat;
  map?: string[];
  delimiter?: string;
  tz?: string;
  identity?: ImportIdentity;
  dialect?: ImportDialect;
  project?: string;
  json?: boolean;
}

/** Whose events they are; absent: the data folder's own project. */
export interface ImportPlace {
  project?: string | undefined;
}

/** Runs `work` with what an import needs, and closes it afterwards, however the work ends. */
export type WithImportDeps = (
  place: ImportPlace,
  work: (deps: ImportDeps) => Promise<number>,
) => Promise<number>;

/** Adds `import` to the program. */
export function registerImport(program: Command, withDeps: WithImportDeps): void {
  program
    .command("import")
    .description("import a file of events: exactly once, however often it is started")
    .argument("<file>", "NDJSON, JSON (an array, or an object with events) or CSV; gzip is seen by itself")
    .addOption(
      new Option("--format <format>", "the file's format, where its name does not tell").choices(
        sourceFormats,
      ),
    )
    .option("--map <fields>", "CSV columns: field=column,payload.price=Price:number,type='purchase'", gather)
    .option("--delimiter <character>", "CSV: what parts the columns (default: a comma)")
    .option("--tz <zone>", "zone of times without offset, such as Europe/London")
    .addOption(new Option("--identity <kind>", "what makes two events the same").choices(importIdentities))
    .addOption(
      new Option("--dialect <name>", "whose export it is (default: our own events)").choices(importDialects),
    )
    .option("--project <project>", "project the events belong to")
    .option("--json", "the result as one JSON object on the last line")
    .action((file: string, flags: ImportFlags) =>
      runCommand(() => {
        const map = (flags.map ?? []).flatMap(parseMap);
        const options = {
          format: flags.format,
          map,
          delimiter: flags.delimiter,
          zone: flags.tz,
          identity: flags.identity,
          dialect: flags.dialect,
        };
        return withDeps({ project: flags.project }, async (deps) => {
          const result = await importFile(file, options, deps);
          print(flags.json === true, { ...result }, () => importText(result));
          return result.ok ? exitCode.fine : exitCode.failed;
        });
      }),
    );
}

const gather = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];
