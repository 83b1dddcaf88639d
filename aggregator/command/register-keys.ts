// The commands over write keys: who may send events for which project.
import type { Command } from "commander";
import { exitCode, MisuseError, print } from "../../shared/command.ts";
import type { KeyRight } from "../../shared/event/write-key.ts";
import { createKey, type KeptKey, listKeys, revokeKey, rotateKey } from "../keys.ts";
import type { Store } from "../store/store.ts";
import { actorOf } from "./actor.ts";
import { durationOf } from "./duration.ts";
import { jsonFlag, onStore } from "./on-store.ts";
import type { AggregatorCommands } from "./register.ts";

interface CreateFlags {
  project: string;
  historical?: true;
  clientContext?: true;
  consentTaken?: true;
  key?: string;
  alias?: string;
  json?: true;
}

const learned = "edges follow within 30 s";

/** Adds the commands to the program. */
export function registerKeys(program: Command, deps: AggregatorCommands): void {
  const keys = program.command("keys").description("write keys: who may send events for which project");
  keys
    .command("create")
    .description("make a write key; its text is shown this once")
    .option("--project <project>", "project the key sends for", "default")
    .option("--historical", "the key may send events of any age")
    .option("--client-context", "the key's holder may say where its events' clients are, as a server must")
    .option("--consent-taken", "the key's clients send only what was consented to, though no event says so")
    .option("--key <text>", "take this text, which clients carry already, instead of a new one")
    .option("--alias <name>", "make a public name stand for a key: an app id, a website id or a domain")
    .option(...jsonFlag)
    .action((flags: CreateFlags) => onStore(deps, (store) => create(store, flags)));
  keys
    .command("rotate")
    .description("make a key in the place of another, which stays valid for a while")
    .argument("<key>", "its id, as listed, or its text")
    .option("--keep <time>", "how long the old one stays valid, such as 30m, 24h or 7d", "24h")
    .option(...jsonFlag)
    .action((key: string, flags: { keep: string; json?: true }) =>
      onStore(deps, async (store) => {
        const made = await rotateKey(store, key, durationOf("--keep", flags.keep, 366), actorOf());
        print(flags.json === true, { ...made }, () => {
          return `${made.key}\nkey ${made.replaces} is valid until ${made.expires_at}; ${learned}`;
        });
        return exitCode.fine;
      }),
    );
  keys
    .command("revoke")
    .description("end a key or an alias")
    .argument("<key>", "its id, as listed, its text, or the alias")
    .option(...jsonFlag)
    .action((key: string, flags: { json?: true }) =>
      onStore(deps, async (store) => {
        const revoked = await revokeKey(store, key, actorOf());
        print(flags.json === true, { ...revoked }, () => `key ${revoked.id} is revoked; ${learned}`);
        return exitCode.fine;
      }),
    );
  keys
    .command("list")
    .description("list keys and aliases, also those that are none any more")
    .option("--project <project>", "one project")
    .option(...jsonFlag)
    .action((flags: { project?: string; json?: true }) =>
      onStore(deps, async (store) => {
        const found = await listKeys(store.sql, flags.project);
        print(flags.json === true, { keys: found }, () =>
          found.length === 0 ? "there are no keys" : found.map(keyText).join("\n"),
        );
        return exitCode.fine;
      }),
    );
}

async function create(store: Store, flags: CreateFlags): Promise<number> {
  if (flags.key !== undefined && flags.alias !== undefined) {
    throw new MisuseError("--key brings a secret and --alias a public name; give one of them");
  }
  const rights: KeyRight[] = [];
  if (flags.historical === true) rights.push("historical");
  if (flags.clientContext === true) rights.push("client_context");
  if (flags.consentTaken === true) rights.push("consent_taken");
  const { project, key, alias } = flags;
  const { isWeak, ...made } = await createKey(store, { project, rights, key, alias }, actorOf());
  print(
    flags.json === true,
    { ...made, weak: isWeak },
    () => made.key ?? `${made.alias} sends for ${project}`,
  );
  if (isWeak) {
    process.stderr.write(
      "weir: this key is short or plain enough to be guessed; rotate it once its clients can\n",
    );
  }
  return exitCode.fine;
}

function keyText({ id, project, alias, rights, created_at, expires_at, revoked_at, state }: KeptKey): string {
  const until = revoked_at ?? expires_at;
  const named = alias === null ? "" : `alias ${alias}`;
  const parts = [id, state, project, named, rights.join(" "), `made ${created_at}`];
  if (until !== null) parts.push(`${state === "revoked" ? "revoked" : "until"} ${until}`);
  return parts.filter((part) => part !== "").join("  ");
}
