// The command line of `load` and `load verify`: their words, and what they mean.
import { type Command, InvalidArgumentError } from "commander";
import { systemClock } from "../../shared/clock.ts";
import { exitCode, MisuseError, print, runCommand } from "../../shared/command.ts";
import { loadText, runLoad } from "./load.ts";
import { type VerifyDeps, verifyLoad, verifyText } from "./load-verify.ts";

interface LoadFlags {
  url: string;
  key?: string;
  file?: string;
  synthetic?: boolean;
  rate: number;
  seconds?: number;
  duplicate: number;
  late: number;
  bad: number;
  batch: number;
  connections: number;
  giveUp: number;
  seed: number;
  log?: string;
  json?: boolean;
}

/** Runs `work` with the store that a load went to, and closes it afterwards, however the work ends. */
export type WithVerifyDeps = (
  project: string | undefined,
  work: (deps: VerifyDeps) => Promise<number>,
) => Promise<number>;

const syntheticSeconds = 10;

/** Adds `load` and `load verify` to the program; `localKey` is the data folder's own key, if it has one. */
export function registerLoad(
  program: Command,
  withVerifyDeps: WithVerifyDeps,
  localKey: () => string | undefined,
): void {
  const load = program
    .command("load")
    .description("send events over HTTP, some late, bad or twice, and keep an account of them")
    .option("--url <url>", "the edge", "http://127.0.0.1:8787")
    .option("--key <key>", "write key; without it the data folder's own")
    .option("--file <file>", "send the events of this file, each once")
    .option("--synthetic", "make events up (the default without a file)")
    .option("--rate <number>", "events a second; 0: as fast as they are answered", number(0, 1e6), 0)
    .option("--seconds <number>", "how long to send new events (made-up ones: 10)", number(0.1, 1e6))
    .option("--duplicate <share>", "share of the events sent once more, 0 to 1", number(0, 1), 0)
    .option("--late <share>", "share of the events dated up to two days back", number(0, 1), 0)
    .option("--bad <share>", "share of the events made invalid", number(0, 1), 0)
    .option("--batch <number>", "events in a request", whole(1, 1000), 100)
    .option("--connections <number>", "requests at once", whole(1, 256), 8)
    .option("--give-up <seconds>", "how long one request is tried for", number(0, 86_400), 60)
    .option("--seed <number>", "repeats the same choices", whole(0, 0xffff_ffff), 1)
    .option("--log <file>", "the load's own account, for load verify")
    .option("--json", "the result as one JSON object on the last line")
    .action((flags: LoadFlags) => runCommand(() => send(flags, localKey)));
  load
    .command("verify")
    .description("compare a load's account with the store; exits 1 where they differ")
    .argument("<file>", "what --log wrote")
    .option("--project <project>", "project the load's key belongs to")
    .option("--json", "the result as one JSON object on the last line")
    .action((file: string, _: unknown, command: Command) =>
      runCommand(() => {
        const flags = command.optsWithGlobals<{ project?: string; json?: boolean }>();
        return withVerifyDeps(flags.project, async (deps) => {
          const result = await verifyLoad(file, deps);
          print(flags.json === true, { ...result }, () => verifyText(result));
          return result.ok ? exitCode.fine : exitCode.failed;
        });
      }),
    );
}

async function send(flags: LoadFlags, localKey: () => string | undefined): Promise<number> {
  if (flags.file !== undefined && flags.synthetic === true)
    throw new MisuseError("--file and --synthetic exclude each other");
  if (!URL.canParse(flags.url)) throw new MisuseError(`--url ${flags.url} is no URL`);
  const key = flags.key ?? localKey();
  if (key === undefined) throw new MisuseError("--key is needed; weir keys create makes one");
  const seconds = flags.seconds ?? (flags.file === undefined ? syntheticSeconds : undefined);
  const result = await runLoad({ ...flags, key, seconds, giveUpSeconds: flags.giveUp }, systemClock);
  print(flags.json === true, { ...result }, () => loadText(result));
  return result.ok ? exitCode.fine : exitCode.failed;
}

function number(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a number from ${least} to ${most}.`);
  };
}

function whole(least: number, most: number): (text: string) => number {
  const read = number(least, most);
  return (text) => {
    const value = read(text);
    if (Number.isInteger(value)) return value;
    throw new InvalidArgumentError("It must be a whole number.");
  };
}
