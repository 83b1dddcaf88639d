// The command that builds a store anew from its log, puts rows back, or moves a store to another server.
import type { Command } from "commander";
import { systemClock } from "../../shared/clock.ts";
import { exitCode, MisuseError, print, runCommand } from "../../shared/command.ts";
import { type Ends, ending } from "../../shared/ending.ts";
import type { ComparedTable } from "../replay/checksum.ts";
import { copyStore } from "../replay/copy-store.ts";
import { type ReplayAnswer, replay } from "../replay/replay.ts";
import type { Store } from "../store/store.ts";
import { actorOf } from "./actor.ts";
import type { AggregatorCommands } from "./register.ts";

interface Flags {
  from?: string;
  into?: string;
  schema?: string;
  copyFrom?: string;
  swap?: true | string;
  json?: boolean;
}

/** Adds the command to the program. */
export function registerReplay(program: Command, deps: AggregatorCommands): void {
  program
    .command("replay")
    .description(
      "build a store anew from the log, put back rows, or copy a store; exit 1 if not all is there",
    )
    .option("--from <url>", "the log to read, or a store to copy; the configured log if absent")
    .option("--into <url>", "the store to write; the configured one if absent")
    .option("--schema <name>", "schema to write; the configured one, or with --swap one beside it")
    .option("--copy-from <url>", "store whose keys, state and order are taken; the configured one, or none")
    .option("--swap [anyway]", "put the new schema in the place of the live one; anyway: also if they differ")
    .option("--json", "the result as one JSON object on the last line")
    .action((flags: Flags) => runCommand(() => run(deps, flags)));
}

async function run(deps: AggregatorCommands, flags: Flags): Promise<number> {
  if (flags.into === undefined && flags.schema === undefined && flags.swap === undefined) {
    throw new MisuseError("name a store with --into, a schema with --schema, or use --swap");
  }
  const answer = await ending(async (ends) => {
    const result = isStore(flags.from) ? await copy(deps, flags, ends) : await rebuild(deps, flags, ends);
    return { result };
  }).then(async ({ result, close }) => {
    await close();
    return result;
  });
  print(flags.json === true, { ...answer }, () => answerText(answer));
  return answer.ok ? exitCode.fine : exitCode.failed;
}

type Answer = Omit<ReplayAnswer, "way"> & { way: ReplayAnswer["way"] | "copy"; seconds: number };

async function copy(deps: AggregatorCommands, flags: Flags, ends: Ends): Promise<Answer> {
  if (flags.swap !== undefined) throw new MisuseError("--swap goes with a log, not with a store to copy");
  const began = Date.now();
  const from = await open(deps, ends, flags.from);
  const into = await open(deps, ends, flags.into, flags.schema);
  const tables = await copyStore(from, into);
  const equal = tables.every((table) => table.equal);
  const rest = { records: 0, restored: 0, missing: [], replaced: undefined };
  return { ok: equal, way: "copy", equal, tables, ...rest, seconds: secondsSince(began) };
}

async function rebuild(deps: AggregatorCommands, flags: Flags, ends: Ends): Promise<Answer> {
  if (flags.swap !== undefined && flags.swap !== true && flags.swap !== "anyway") {
    throw new MisuseError("--swap stands alone or with anyway");
  }
  const began = Date.now();
  const live = flags.copyFrom === "none" ? undefined : await open(deps, ends, flags.copyFrom);
  const beside = flags.swap === undefined || live === undefined ? undefined : `${live.schema}_replay`;
  const into = await open(deps, ends, flags.into, flags.schema ?? beside);
  const reader = await (await deps.openLog(flags.from)).reader();
  ends.push(() => reader.close());
  const swap = flags.swap === undefined ? "no" : flags.swap === true ? "equal" : "anyway";
  const answer = await replay({
    reader,
    into,
    live,
    swap,
    actor: actorOf(),
    clock: systemClock,
    written: tellProgress(),
  });
  return { ...answer, seconds: secondsSince(began) };
}

async function open(deps: AggregatorCommands, ends: Ends, url?: string, schema?: string): Promise<Store> {
  const store = await deps.openStore(url, schema);
  ends.push(() => store.close());
  return store;
}

function tellProgress(): (records: number) => void {
  let [sum, told] = [0, Date.now()];
  return (records) => {
    sum += records;
    if (Date.now() - told < 5_000) return;
    told = Date.now();
    process.stderr.write(`${sum.toLocaleString("en")} records\n`);
  };
}

function answerText(answer: Answer): string {
  const lines = answer.tables.map(tableText);
  const holes = answer.missing.map(
    ({ partition, from, to }) =>
      `partition ${partition}: the log holds no offsets ${from} to ${to}, the last not among them`,
  );
  const done = {
    rebuild: `${answer.records.toLocaleString("en")} records written`,
    restore: `${answer.records.toLocaleString("en")} records offered, ${answer.restored.toLocaleString("en")} rows restored`,
    copy: "copied",
  }[answer.way];
  const replaced = answer.replaced === undefined ? [] : [`swapped; the old schema is ${answer.replaced} now`];
  const equal = answer.equal === undefined ? [] : [`equal: ${answer.equal}`];
  return [...lines, ...holes, `${done} in ${answer.seconds} s`, ...replaced, ...equal].join("\n");
}

function tableText({ table, equal, rows, checksum }: ComparedTable): string {
  const sums = equal ? checksum.into : `${checksum.from} <> ${checksum.into}`;
  const counts = rows.from === rows.into ? `${rows.into}` : `${rows.from} <> ${rows.into}`;
  return `${equal ? "equal " : "DIFFER"}  ${table}: ${counts} rows, ${sums}`;
}

const isStore = (url: string | undefined): boolean => /^(embedded:|postgres(ql)?:\/\/)/.test(url ?? "");

const secondsSince = (began: number): number => Math.round((Date.now() - began) / 100) / 10;
