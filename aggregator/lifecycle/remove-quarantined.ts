// What an erasure takes out of quarantine: events that name the subject.
import { forgetRows } from "../quarantine/expire.ts";
import type { Store } from "../store/store.ts";
import type { SubjectKind } from "./bars.ts";
import type { Erasure } from "./remove.ts";

const keptAtOnce = 500;

/** What lies there was never read as an event for good, so its bytes are looked into one by one. Answers how many. */
export async function forgetQuarantined(
  store: Store,
  { project, kind, id, until }: Omit<Erasure, "actor">,
): Promise<number> {
  let after = "0";
  let forgotten = 0;
  for (;;) {
    const rows = await store.sql`
      select quarantine_id::text as quarantine_id, original from quarantine
      where project_id = ${project} and quarantine_id > ${after}::bigint and received_at <= ${new Date(until)}
      order by quarantine_id
      limit ${keptAtOnce}`;
    const found = rows.filter((row) => names(row["original"] as Uint8Array, kind, id));
    forgotten += await forgetRows(
      store,
      found.map((row) => String(row["quarantine_id"])),
    );
    if (rows.length < keptAtOnce) return forgotten;
    after = String(rows.at(-1)!["quarantine_id"]);
  }
}

// What is no JSON cannot be asked for a field: there the id's very bytes are enough to forget it.
function names(original: Uint8Array, kind: SubjectKind, id: string): boolean {
  const bytes = Buffer.from(original);
  try {
    const event: unknown = JSON.parse(bytes.toString("utf8"));
    return typeof event === "object" && event !== null && Reflect.get(event, kind) === id;
  } catch {
    return bytes.includes(id);
  }
}
