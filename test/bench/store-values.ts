// Inserts as they are often written: a 64-hex text key, VALUES of 500 rows, ON CONFLICT DO NOTHING.
import { createHash } from "node:crypto";
import { bodyOf, type DecodedRecord, decodeSlice, isDecoded } from "../../aggregator/decode.ts";
import { eventColumns } from "../../aggregator/rows.ts";
import type { Store } from "../../aggregator/store/store.ts";
import type { EventFields } from "../../shared/event/event.ts";
import { eventTimeOf } from "../../shared/event/identity.ts";
import { unpackEvent } from "../../shared/wire/packed-event.ts";
import { spend } from "./bench.ts";
import { readAs } from "./events.ts";
import type { StoreSide } from "./store-sides.ts";

const rowsMax = 500;

type Row = Record<string, unknown>;

/** Which columns the rows have: those of our events, or the few that such a table usually begins with. */
export type ValuesShape = "same" | "few";

/** One insert a transaction. The rows, keys included, are made before the clock starts. */
export async function valuesInserts(
  store: Store,
  shape: ValuesShape,
): Promise<StoreSide<readonly Uint8Array[]>> {
  const session = await store.writer();
  const columns =
    shape === "same"
      ? "like event_columns including defaults"
      : `event_time timestamptz not null, user_id text, session_id text, type text not null, device text,
        country text, app_version text, payload jsonb not null, received_at timestamptz not null`;
  await session.unsafe(`create table text_events (idempotency_key text not null, ${columns})`);
  if (shape === "same") await session`alter table text_events drop column id`;
  await session`alter table text_events add primary key (idempotency_key, event_time)`;
  if (store.flavour !== "postgresql") {
    await session`
      select create_hypertable(
        'text_events', by_range('event_time', interval '1 day'), create_default_indexes => false
      )`;
  }
  const few = "event_time user_id session_id type device country app_version payload received_at".split(" ");
  const names = shape === "same" ? eventColumns.filter((name) => name !== "id") : few;
  return async (records) => {
    const { records: read } = decodeSlice({ partition: 0, records: readAs(0n, records) });
    const rows = read.filter(isDecoded).flatMap((one) => rowsOf(one, names));
    return await spend(async () => {
      for (let at = 0; at < rows.length; at += rowsMax) {
        const part = rows.slice(at, at + rowsMax) as unknown as Record<string, string>[];
        await session`insert into text_events ${session(part)} on conflict do nothing`;
      }
    });
  };
}

function rowsOf(decoded: DecodedRecord, names: readonly string[]): Row[] {
  const { batch } = decoded.record;
  return Array.from({ length: batch.count }, (_, index) => {
    const event = unpackEvent(bodyOf(decoded, index));
    const all: Row = {
      ...columnsOf(event),
      event_time: new Date(eventTimeOf(batch.ids, index * 16)),
      client_time: event.clientTime === null ? null : new Date(event.clientTime),
      received_at: new Date(batch.receivedAt),
      fingerprint: Buffer.from(batch.fingerprints)
        .readBigInt64BE(index * 8)
        .toString(),
      flags: batch.flags[index]!,
      project_id: batch.project,
    };
    const idempotency_key = createHash("sha256").update(`${batch.project} ${event.eventId}`).digest("hex");
    return { idempotency_key, ...Object.fromEntries(names.map((name) => [name, all[name]])) };
  });
}

// The stored fields under their columns' names; postgres.js writes jsonb itself, from the value.
function columnsOf(event: EventFields): Row {
  const json = new Set(["payload", "context", "metadata"]);
  return Object.fromEntries(
    Object.entries(event).map(([name, value]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      json.has(name) ? JSON.parse(value as string) : value,
    ]),
  );
}
