// The commands over API tokens: who may ask the API and the dashboard, and what.
import { type Command, Option } from "commander";
import { exitCode, print } from "../../shared/command.ts";
import { type Role, roles } from "../api/roles.ts";
import type { Store } from "../store/store.ts";
import { createToken, type ListedToken, listTokens, revokeToken, tokenDaysMax } from "../tokens.ts";
import { actorOf } from "./actor.ts";
import { durationOf } from "./duration.ts";
import { jsonFlag, onStore } from "./on-store.ts";
import type { AggregatorCommands } from "./register.ts";

interface CreateFlags {
  name: string;
  role: Role;
  expires?: string;
  project?: string;
  json?: true;
}

/** Adds the commands to the program. */
export function registerTokens(program: Command, deps: AggregatorCommands): void {
  const tokens = program
    .command("tokens")
    .description("API tokens: who may ask the API and the dashboard, and what");
  tokens
    .command("create")
    .description("make a token; its text is shown this once")
    .requiredOption("--name <name>", "whose it is, as the audit and the dashboard name them")
    .addOption(
      new Option("--role <role>", "viewer: figures; analyst: people, too; admin: everything")
        .choices(roles)
        .makeOptionMandatory(),
    )
    .option("--expires <time>", "how long it is valid, such as 12h or 90d; for ever without")
    .option("--project <project>", "the one project it is answered for; all of them without")
    .option(...jsonFlag)
    .action((flags: CreateFlags) => onStore(deps, (store) => create(store, flags)));
  tokens
    .command("list")
    .description("list tokens, also those that are none any more; never their text")
    .option(...jsonFlag)
    .action((flags: { json?: true }) =>
      onStore(deps, async (store) => {
        const found = await listTokens(store.sql);
        print(flags.json === true, { tokens: found }, () =>
          found.length === 0 ? "there are no tokens" : found.map(tokenText).join("\n"),
        );
        return exitCode.fine;
      }),
    );
  tokens
    .command("revoke")
    .description("end a token")
    .argument("<token>", "its name or its id, as listed, or its text")
    .option(...jsonFlag)
    .action((named: string, flags: { json?: true }) =>
      onStore(deps, async (store) => {
        const revoked = await revokeToken(store, named, actorOf());
        print(flags.json === true, { ...revoked }, () => {
          return `token ${revoked.id} ${revoked.name} is revoked; aggregators follow within 10 s`;
        });
        return exitCode.fine;
      }),
    );
}

async function create(store: Store, { name, role, expires, project, json }: CreateFlags): Promise<number> {
  const keepMs = expires === undefined ? undefined : durationOf("--expires", expires, tokenDaysMax);
  const made = await createToken(store, { name, role, project, keepMs }, actorOf());
  print(json === true, { ...made, name, role, project: project ?? null }, () => made.token);
  return exitCode.fine;
}

function tokenText(token: ListedToken): string {
  const { id, name, role, project, state, created_at, expires_at, revoked_at, last_used_at } = token;
  const parts = [id, state, role, name, project === null ? "" : `project ${project}`, `made ${created_at}`];
  const until = revoked_at ?? expires_at;
  if (until !== null) parts.push(`${state === "revoked" ? "revoked" : "until"} ${until}`);
  parts.push(last_used_at === null ? "never used" : `used ${last_used_at}`);
  return parts.filter((part) => part !== "").join("  ");
}
