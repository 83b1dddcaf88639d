// Marks open rows as discarded: kept and counted as before, until their time is over, and never sent again.
import type { Store } from "../store/store.ts";
import { discardRecords } from "./records.ts";
import { type Selection, selected } from "./selection.ts";

export interface DiscardAsked {
  selection: Selection;
  actor: string;
  /** Why; it is kept beside who and when. */
  why: string;
}

export interface DiscardAnswer {
  /** Every row asked for by number was open. */
  ok: boolean;
  /** Events. */
  discarded: number;
  /** Records kept whole. */
  records: number;
  not_open: string[];
}

/** Discards the events and records that are asked for and open; a retry on its way is left alone. */
export async function discardRows(
  store: Store,
  { selection, actor, why }: DiscardAsked,
): Promise<DiscardAnswer> {
  const rows = await store.sql`
    with discarded as (
      update quarantine
      set status = 'discarded', next_retry_at = null
      where ${selected(store.sql, { ...selection, status: "open" })}
      returning quarantine_id, identity_hash, fingerprint, project_id
    ),
    noted as (
      insert into audit (identity_hash, fingerprint, project_id, action, actor, why)
      select identity_hash, fingerprint, project_id, 'discard', ${actor}, ${why}
      from discarded
    )
    select quarantine_id from discarded`;
  const records = await discardRecords(store, { selection, actor, why });
  const done = new Set([...rows.map((row) => String(row["quarantine_id"])), ...records]);
  const notOpen = (selection.ids ?? []).filter((id) => !done.has(id));
  return { ok: notOpen.length === 0, discarded: rows.length, records: records.length, not_open: notOpen };
}
