// What every command shares: where it reads and writes, how it ends, and which exit code says what.
import { readFileSync } from "node:fs";
import { type Command, CommanderError } from "commander";
import { ConfigError, type ConfigSource } from "./config.ts";
import { redactText } from "./telemetry/logger.ts";

/** Exit codes: 0 fine, 1 the check or the work failed, 2 the command was misused. */
export const exitCode = { fine: 0, failed: 1, misuse: 2 } as const;

/** A command was called in a way it cannot serve; its text is for the person who typed it. */
export class MisuseError extends Error {
  override name = "MisuseError";
}

/** One line of `weir doctor`. */
export interface Finding {
  name: string;
  state: "ok" | "weak" | "bad";
  found: string;
  /** What to do about it; empty where all is well. */
  advice: string;
}

/** The environment of this process, with `_FILE` settings read from disk. */
export const processSource: ConfigSource = {
  env: process.env,
  readFile: (path) => readFileSync(path, "utf8"),
};

/** Writes for a person, or, with `--json`, the result as one object on the last line. */
export function print(json: boolean, result: Readonly<Record<string, unknown>>, text: () => string): void {
  process.stdout.write(`${json ? JSON.stringify(result) : text()}\n`);
}

/** Prints what doctor found and answers the exit code: 1 where something is bad, weak is only told. */
export function printFindings(json: boolean, findings: readonly Finding[]): number {
  const ok = findings.every((finding) => finding.state !== "bad");
  print(json, { ok, findings }, () => findings.map(findingText).join("\n"));
  return ok ? exitCode.fine : exitCode.failed;
}

function findingText({ name, state, found, advice }: Finding): string {
  const mark = { ok: "ok  ", weak: "weak", bad: "BAD " }[state];
  return `${mark}  ${name}: ${found}${advice === "" ? "" : `\n      -> ${advice}`}`;
}

/** Runs a command's work and sets the exit code; an error is told in one line, without its stack. */
export async function runCommand(work: () => Promise<number | undefined>): Promise<void> {
  try {
    process.exitCode = (await work()) ?? exitCode.fine;
  } catch (error) {
    const misuse = error instanceof ConfigError || error instanceof MisuseError;
    const text = error instanceof Error ? error.message : String(error);
    // Faults of settings hold no values, and what follows SOME_SECRET: is what to do about it.
    process.stderr.write(`weir: ${error instanceof ConfigError ? text : redactText(text)}\n`);
    if (process.env["WEIR_TEST_STACKS"] === "1") console.error(error);
    process.exitCode = misuse ? exitCode.misuse : exitCode.failed;
  }
}

/** Resolves at the first SIGINT or SIGTERM; a second one, a second later or more, ends at once. */
export function untilStopped(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstAt = 0;
    const onSignal = (signal: NodeJS.Signals): void => {
      if (firstAt === 0) {
        firstAt = Date.now();
        resolve(signal);
      } else if (Date.now() - firstAt > 1000) process.exit(exitCode.failed);
    };
    process.on("SIGINT", onSignal);
    process.on("SIGTERM", onSignal);
  });
}

/** Runs the command that the words of this process name; words it does not know are misuse. */
export async function parseWords(program: Command): Promise<void> {
  const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)];
  for (const command of all(program)) command.exitOverride();
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? exitCode.fine : exitCode.misuse;
  }
}
