// Projects: what each asks of edges, kept as JSON of which only what was set is there.
import type { ISql } from "postgres";
import { MisuseError } from "../shared/command.ts";
import { type Policy, policyShape } from "../shared/event/policy.ts";
import { identifierLengthMax } from "../shared/limits.ts";
import { canaryProject } from "../shared/wire/canary.ts";
import { noteAction } from "./audit.ts";
import { readGoverned } from "./schema/read.ts";
import type { Store } from "./store/store.ts";

/** Some parts of a policy, as they are to be. */
export type PolicyChange = Partial<Policy>;

export interface Project {
  project: string;
  policy: Policy;
  created_at: string | null;
  changed_at: string | null;
}

/** Every project that has a row or a key, in order; one alone where it is named. */
export async function readProjects(sql: ISql, project?: string): Promise<Project[]> {
  const rows = await sql<{ project: string; policy: unknown; created_at: Date; changed_at: Date }[]>`
    select project_id as project, p.policy, p.created_at, p.changed_at
    from projects p
    full join (select distinct project_id from write_keys) k using (project_id)
    where ${project === undefined ? sql`true` : sql`project_id = ${project}`}
    order by project_id`;
  return rows.map((row) => ({
    project: row.project,
    policy: policyShape.parse(row.policy ?? {}),
    created_at: row.created_at?.toISOString() ?? null,
    changed_at: row.changed_at?.toISOString() ?? null,
  }));
}

/**
 * What was set of every project's policy, the defaults left out, with the types it governs; also of projects
 * that only have keys.
 */
export async function readSetPolicies(sql: ISql): Promise<Record<string, unknown>> {
  const rows = await sql`
    select project_id, coalesce(p.policy, '{}') as policy
    from projects p
    full join (select distinct project_id from write_keys) k using (project_id)
    order by project_id`;
  const governed = await readGoverned(sql);
  return Object.fromEntries(
    rows.map(({ project_id: project, policy }) => {
      const types = governed.get(project);
      return [project, types === undefined ? policy : { ...policy, governed_types: types }];
    }),
  );
}

/** The policy of a project, with the types it governs; one that nobody has made asks for the defaults. */
export async function readPolicy(sql: ISql, project: string): Promise<Policy> {
  const policy = (await readProjects(sql, project))[0]?.policy ?? policyShape.parse({});
  return { ...policy, governed_types: [...((await readGoverned(sql, project)).get(project) ?? [])] };
}

/** Makes a project where there is none of the name. Throws a MisuseError for a name that cannot be one. */
export async function keepProject(sql: ISql, project: string, policy: PolicyChange = {}): Promise<void> {
  if (project === canaryProject) throw new MisuseError(`--project: ${project} is Weir's own`);
  if (project === "" || project.length > identifierLengthMax || /\p{Cc}/u.test(project)) {
    throw new MisuseError(
      `--project: 1 to ${identifierLengthMax} characters, none of them a control character`,
    );
  }
  await sql`
    insert into projects (project_id, policy) values (${project}, ${sql.json(policy as never)})
    on conflict do nothing`;
}

/** How long a command or an aggregator goes by a policy it has read. */
const policyMs = 10_000;

/** The policies as they stand, each read anew after 10 s. Rejects where the store does not answer. */
export function policiesOf(store: Store): (project: string) => Promise<Policy> {
  const known = new Map<string, { policy: Promise<Policy>; readAt: number }>();
  return async (project) => {
    const found = known.get(project);
    if (found !== undefined && Date.now() - found.readAt < policyMs) return await found.policy;
    const policy = readPolicy(store.sql, project);
    known.set(project, { policy, readAt: Date.now() });
    policy.catch(() => known.delete(project));
    return await policy;
  };
}

/**
 * Changes parts of a project's policy, made where there is none. `change` is given the policy as it stands,
 * under a lock, so that two changes at once are both made. Edges follow within 30 s.
 */
export async function changePolicy(
  store: Store,
  project: string,
  actor: string,
  change: (policy: Policy) => PolicyChange,
): Promise<Policy> {
  const made = await store.sql.begin(async (tx) => {
    await keepProject(tx, project);
    const [row] = await tx`select policy from projects where project_id = ${project} for update`;
    const given = change(policyShape.parse(row?.["policy"]));
    const kept = { ...(row?.["policy"] as object), ...given };
    const policy = policyShape.parse(kept);
    await tx`
      update projects set policy = ${tx.json(kept as never)}, changed_at = now() where project_id = ${project}`;
    const outcome = Object.keys(given).sort().join(", ");
    await noteAction(tx, { action: "policy", actor, project, target: `project ${project}`, outcome });
    return policy;
  });
  return made as Policy;
}
