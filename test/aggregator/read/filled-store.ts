// A store with rows that a test chose, written without the pipeline.
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migrate } from "../../../aggregator/store/migrate.ts";
import { openStore } from "../../../aggregator/store/open.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { copyDatabase } from "../../support/embedded-database.ts";
import { foldAll } from "../../support/fold-all.ts";

export interface GivenEvent {
  at: string;
  /** As soon as it happened where this is absent. */
  receivedAt?: string;
  payload?: object;
  type?: string;
  project?: string;
  user?: string | null;
  anonymous?: string | null;
  revenue?: string;
  currency?: string | null;
  country?: string;
}

export interface GivenBatch {
  id: string;
  project?: string;
  at?: string;
  offset?: number;
  stored?: number;
  claimedTwice?: number;
  storedTwice?: number;
  refused?: number;
  refusedTwice?: number;
  conflict?: number;
  unwritable?: number;
  expired?: number;
  erased?: number;
}

export interface FilledStore {
  store: Store;
  /** Writes rows of events and folds them. */
  addEvents(events: readonly GivenEvent[]): Promise<void>;
  /** Folds what a test has written by itself. */
  foldEvents(): Promise<void>;
  /** Writes ledger rows and moves the position of partition 0 of `log` behind them. */
  addBatches(log: { id: string; topic: string }, batches: readonly GivenBatch[]): Promise<void>;
  close(): Promise<void>;
}

/** Opens an empty, migrated store: embedded in a folder of its own, or in a schema of its own on a server. */
export async function filledStore(url?: string): Promise<FilledStore> {
  const dataDir = mkdtempSync(join(tmpdir(), "weir-read-"));
  if (url === undefined) await copyDatabase(join(dataDir, "postgres"));
  const schema = url === undefined ? "weir" : `weir_${randomBytes(4).toString("hex")}`;
  const store = await openStore(url ?? "embedded:", { schema, dataDir });
  await migrate(store);
  // One partition for whatever a test writes; the writer, which makes them by month, is not here.
  if (store.flavour === "postgresql") {
    await store.sql`create table events_given partition of events default`;
  }
  let made = 0;
  // What the writer does for the rows it stores; notes of rows that are folded already are not made again.
  let notedTo = "epoch";
  const foldEvents = async (): Promise<void> => {
    const [row] = await store.sql`
      with noted as (
        insert into fresh_events (project_id, day, ids)
        select project_id, (event_time at time zone 'UTC')::date, array_agg(id)
        from events
        where stored_at > ${notedTo}::text::timestamptz
        group by 1, 2
      )
      select max(stored_at)::text as latest from events`;
    notedTo = String(row?.["latest"] ?? notedTo);
    await foldAll(store);
  };
  return {
    foldEvents,
    store,
    async addEvents(events) {
      const rows = events.map((event) => rowOf(event, made++));
      await store.sql`insert into events ${store.sql(rows)}`;
      await foldEvents();
    },
    async addBatches(log, batches) {
      await store.sql.begin(async (tx) => {
        for (const batch of batches) await tx`insert into ledger ${tx(ledgerRowOf(log.id, batch))}`;
        const next = Math.max(...batches.map((batch) => batch.offset ?? 0)) + 1;
        await tx`
          insert into log_positions (log_id, topic, partition, next_offset)
          values (${log.id}, ${log.topic}, 0, ${next})
          on conflict (log_id, topic, partition) do update
          set next_offset = greatest(log_positions.next_offset, excluded.next_offset)`;
      });
    },
    async close() {
      if (url !== undefined) await store.sql.unsafe(`drop schema ${schema} cascade`);
      await store.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function rowOf(event: GivenEvent, number: number): Record<string, string | number | object | null> {
  const time = Date.parse(event.at);
  const hash = createHash("sha256").update(`event ${number}`).digest("hex");
  const hex = `${time.toString(16).padStart(12, "0")}7${hash.slice(0, 3)}8${hash.slice(3, 18)}`;
  return {
    id: `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`,
    event_time: new Date(time).toISOString(),
    received_at: event.receivedAt ?? new Date(time).toISOString(),
    fingerprint: 1,
    version: 1,
    flags: 0,
    identity: "event_id",
    project_id: event.project ?? "shop",
    type: event.type ?? "page_view",
    user_id: event.user ?? null,
    anonymous_id: event.anonymous ?? null,
    country: event.country ?? null,
    revenue: event.revenue ?? null,
    currency: event.currency ?? null,
    payload: event.payload ?? {},
    context: "{}",
    metadata: "{}",
  };
}

function ledgerRowOf(logId: string, batch: GivenBatch): Record<string, string | number | Uint8Array> {
  const { stored = 0, claimedTwice = 0, storedTwice = 0, refused = 0, refusedTwice = 0 } = batch;
  const { conflict = 0, unwritable = 0, expired = 0, erased = 0, offset = 0 } = batch;
  const published = stored + storedTwice + conflict + unwritable + expired + erased;
  return {
    batch_id: batch.id,
    project_id: batch.project ?? "shop",
    received_at: batch.at ?? "2026-11-20T10:00:00Z",
    log_id: logId,
    partition: 0,
    log_offset: offset,
    collector: "c",
    collector_start: 1,
    collector_number: offset,
    received: published + claimedTwice + refused,
    published,
    duplicate_claimed: claimedTwice,
    refused,
    refused_duplicate: refusedTwice,
    stored,
    duplicate_stored: storedTwice,
    conflict,
    unwritable,
    expired,
    erased,
    weak: 0,
    digest: new Uint8Array(),
  };
}
