// Declares governed types: checks what a file says of them, and keeps it.
import type { TransactionSql } from "postgres";
import { z } from "zod";
import { MisuseError } from "../../shared/command.ts";
import { type GovernedType, governedNames, governedShape } from "../../shared/event/governed.ts";
import { governedTypesMax, schemaBytesMax } from "../../shared/limits.ts";
import { canaryProject } from "../../shared/wire/canary.ts";
import { errorCode } from "../store/errors.ts";
import type { Store } from "../store/store.ts";

/** What became of one version: `unchanged` where the very same was declared before. */
export interface Declared {
  type: string;
  version: number;
  change: "declared" | "amended" | "unchanged";
}

/**
 * The governed types a JSON text declares: one, or a list. Throws a MisuseError that names every fault.
 * zod reads each payload schema once here: what it refuses, such as a word of a type that there is not,
 * would be passed over in silence by what edges judge with.
 */
export function readDeclarations(text: string): GovernedType[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new MisuseError("the file is no JSON");
  }
  const list: unknown[] = Array.isArray(value) ? value : [value];
  const strange = list.flatMap((one) =>
    Object.keys(Object(one)).filter((name) => !governedNames.includes(name)),
  );
  if (strange.length > 0)
    throw new MisuseError(`${strange[0]}: a declaration has ${governedNames.join(", ")}`);
  const parsed = z.array(governedShape).min(1).max(governedTypesMax).safeParse(list);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new MisuseError(faults.join("; "));
  }
  const faults = parsed.data.flatMap((governed) => {
    const fault = payloadFault(governed);
    return fault === undefined ? [] : [`${governed.type} version ${governed.version}: ${fault}`];
  });
  if (faults.length > 0) throw new MisuseError(faults.join("; "));
  return parsed.data;
}

function payloadFault({ payload }: GovernedType): string | undefined {
  if (JSON.stringify(payload).length > schemaBytesMax) return `the schema is over ${schemaBytesMax} bytes`;
  if (payload["type"] !== undefined && payload["type"] !== "object") return "a payload is an object";
  try {
    z.fromJSONSchema({ type: "object", ...payload });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : "the schema cannot be read";
  }
}

/** Keeps the types of a project, all or none. A MisuseError where an identity would change. */
export async function declareTypes(
  store: Store,
  project: string,
  types: readonly GovernedType[],
): Promise<Declared[]> {
  if (project === canaryProject) throw new MisuseError(`--project: ${project} is Weir's own`);
  try {
    return await store.sql.begin(async (tx) => {
      const done: Declared[] = [];
      for (const governed of types) done.push(await declareOne(tx, project, governed));
      return done;
    });
  } catch (error) {
    // The trigger of the table raises it.
    if (errorCode(error) !== "23514") throw error;
    throw new MisuseError("the identity of a declared version is fixed; declare the next version instead");
  }
}

async function declareOne(tx: TransactionSql, project: string, governed: GovernedType): Promise<Declared> {
  const { type, version, payload, identity } = governed;
  const rows = await tx<{ is_new: boolean }[]>`
    insert into event_schemas as kept (project_id, type, version, payload, identity)
    values (
      ${project}, ${type}, ${version}, ${tx.json(payload as never)},
      ${identity === null ? null : tx.json(identity)}
    )
    on conflict (project_id, type, version) do update
    set payload = excluded.payload, identity = excluded.identity, amended_at = now()
    where (kept.payload, kept.identity) is distinct from (excluded.payload, excluded.identity)
    returning (amended_at is null) as is_new`;
  const change = rows.length === 0 ? "unchanged" : rows[0]!.is_new ? "declared" : "amended";
  return { type, version, change };
}
