// What a proof finds amiss, entry by entry, each with a name under which a person may acknowledge it.
import { createHash } from "node:crypto";
import type { ISql, TransactionSql } from "postgres";
import type { LogIdentity } from "../../shared/log/log.ts";
import { noteAction } from "../audit.ts";
import type { Store } from "../store/store.ts";

/**
 * `numbers`: a collector numbered records that nobody has. `silent`: a collector's spool is unaccounted for.
 * `hole`, `shorter`, `replaced`: a log broke its word.
 */
export type EntryKind = "numbers" | "silent" | "hole" | "shorter" | "replaced";

export interface Found {
  /** Its name; the same for the same finding in every proof. */
  entry: string;
  kind: EntryKind;
  /** A sentence. */
  what: string;
  /** Records that are missed for certain; 0 where nobody knows how many, if any. */
  records: number;
}

export interface LedgerEntry extends Found {
  /** Who lives with it, since when and why, as long as it means no more records than then. */
  acknowledged: { actor: string; note: string; at: Date } | null;
}

export const entryName = (...parts: readonly (string | number)[]): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 12);

/** What this log, or one before it under its name, lacked. */
export async function logEntries(tx: TransactionSql, log: LogIdentity): Promise<Found[]> {
  const moves = await tx<
    { kind: "hole" | "shorter"; partition: number; from: string; to: string; at: Date }[]
  >`
    select kind, partition, from_offset::text as from, to_offset::text as to, noted_at as at
    from (
      select 'hole' as kind, * from log_holes
      union all
      select 'shorter', * from log_rewinds
    ) moves
    where log_id = ${log.id}
    order by noted_at, partition, from_offset`;
  const replaced = await tx<{ log_id: string; replaced_by: string; at: Date }[]>`
    select log_id, replaced_by, noted_at as at from log_replacements where topic = ${log.topic} order by noted_at`;
  return [
    ...moves.map(({ kind, partition, from, to, at }): Found => {
      const seen = at.toISOString();
      const records = Math.abs(Number(to) - Number(from));
      const what =
        kind === "hole"
          ? `partition ${partition} of the log lacked the records from ${from} up to ${to}, seen ${seen}`
          : `partition ${partition} of the log had become shorter: it was read up to ${from} and is read again from ${to}, seen ${seen}`;
      return { entry: entryName(kind, log.id, partition, from, to, seen), kind, what, records };
    }),
    ...replaced.map(
      ({ log_id, replaced_by, at }): Found => ({
        entry: entryName("replaced", log_id, replaced_by),
        kind: "replaced",
        what:
          `the log ${log_id} was made anew as ${replaced_by}, seen ${at.toISOString()}; ` +
          "what it held that was not written yet is unknown",
        records: 0,
      }),
    ),
  ];
}

/** The same with what people said of it. */
export async function withAcknowledgements(sql: ISql, found: readonly Found[]): Promise<LedgerEntry[]> {
  const rows = await sql<{ entry: string; records: number; actor: string; note: string; at: Date }[]>`
    select entry, records::float8 as records, actor, note, acknowledged_at as at
    from ledger_acknowledgements
    where entry = any(${found.map(({ entry }) => entry)})`;
  const said = new Map(rows.map((row) => [row.entry, row]));
  return found.map((one) => {
    const row = said.get(one.entry);
    const isCovered = row !== undefined && one.records <= row.records;
    return { ...one, acknowledged: isCovered ? { actor: row.actor, note: row.note, at: row.at } : null };
  });
}

/** Notes that somebody lives with these entries as they are, and in the audit who and why. */
export async function acknowledgeEntries(
  store: Store,
  entries: readonly LedgerEntry[],
  { actor, note }: { actor: string; note: string },
): Promise<void> {
  await store.sql.begin(async (tx) => {
    for (const { entry, kind, records } of entries) {
      await tx`
        insert into ledger_acknowledgements as a (entry, records, actor, note)
        values (${entry}, ${records}, ${actor}, ${note})
        on conflict (entry) do update set
          records = excluded.records,
          actor = excluded.actor,
          note = excluded.note,
          acknowledged_at = now()`;
      const outcome = records === 0 ? "" : `${records} records`;
      await noteAction(tx, { action: "acknowledge", actor, target: `${kind} ${entry}`, outcome, why: note });
    }
  });
}
