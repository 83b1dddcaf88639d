// The commands over projects: what each asks of every edge that takes its events.
import type { Command } from "commander";
import { exitCode, MisuseError, print } from "../../shared/command.ts";
import type { Policy } from "../../shared/event/policy.ts";
import { pseudonymsOf } from "../../shared/event/pseudonym.ts";
import { changePolicy, type Project, readProjects } from "../projects.ts";
import { actorOf } from "./actor.ts";
import { jsonFlag, onStore } from "./on-store.ts";
import { changeOf, type PolicyFlags, withPolicyFlags } from "./policy-flags.ts";
import type { AggregatorCommands } from "./register.ts";

/** Adds the commands to the program. */
export function registerProject(program: Command, deps: AggregatorCommands): void {
  const project = program
    .command("project")
    .description("projects: who may send, and what is kept of people");
  project
    .command("list")
    .description("list the projects")
    .option(...jsonFlag)
    .action((flags: { json?: true }) =>
      onStore(deps, async (store) => {
        const found = (await readProjects(store.sql)).map(shown);
        print(flags.json === true, { projects: found }, () =>
          found.length === 0 ? "there are no projects" : found.map((one) => one.project).join("\n"),
        );
        return exitCode.fine;
      }),
    );
  project
    .command("show")
    .description("show what a project asks")
    .argument("<name>", "the project")
    .option(
      "--pseudonyms-of <id>",
      "also what this id is stored as, under every key; for erasures and look-ups",
    )
    .option(...jsonFlag)
    .action((name: string, flags: { pseudonymsOf?: string; json?: true }) =>
      onStore(deps, async (store) => {
        const [found] = await readProjects(store.sql, name);
        if (found === undefined) throw new Error(`there is no project ${name}`);
        const asked = flags.pseudonymsOf;
        const pseudonyms = asked === undefined ? {} : { pseudonyms: pseudonymsOf(found.policy, asked) };
        const result = { ...shown(found), ...pseudonyms };
        print(flags.json === true, result, () => policyText(result));
        return exitCode.fine;
      }),
    );
  withPolicyFlags(project.command("set").description("change what a project asks; edges follow within 30 s"))
    .argument("<name>", "the project; made where there is none")
    .option(...jsonFlag)
    .action((name: string, flags: PolicyFlags & { json?: true }) =>
      onStore(deps, async (store) => {
        if (Object.keys(changeOf(flags, undefined)).length === 0) throw new MisuseError("say what to set");
        const policy = await changePolicy(store, name, actorOf(), (now) => changeOf(flags, now));
        const result = shown({ project: name, policy, created_at: null, changed_at: null });
        print(flags.json === true, result, () => policyText(result));
        return exitCode.fine;
      }),
    );
}

interface Shown {
  project: string;
  policy: Omit<Policy, "pseudonym_keys"> & { pseudonym_keys: string[] };
  pseudonyms?: string[];
}

// The secrets are for edges alone; whoever asks is told the names of their keys.
function shown({ project, policy }: Project): Shown & Record<string, unknown> {
  return { project, policy: { ...policy, pseudonym_keys: policy.pseudonym_keys.map(({ id }) => id) } };
}

function policyText({ project, policy, pseudonyms }: Shown): string {
  const lines = Object.entries(policy).map(([name, value]) => `  ${name}: ${JSON.stringify(value)}`);
  const named = pseudonyms === undefined ? [] : [`  stored as: ${pseudonyms.join(", ") || "itself"}`];
  return [`project ${project}`, ...lines, ...named].join("\n");
}
