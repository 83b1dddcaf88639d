// What is kept apart, whole and with its reason: refused events, conflicts, what no row can be made of,
// and records that cannot be read or use another batch's id.
import { createHash } from "node:crypto";
import type { TransactionSql } from "postgres";
import { fingerprintBytes, identityHashBytes } from "../shared/event/identity.ts";
import type { LogIdentity } from "../shared/log/log.ts";
import type { QuarantineReason } from "../shared/problem.ts";
import { batchVersion, outcome } from "../shared/wire/batch.ts";
import { bodyOf, type DecodedRecord, type Place } from "./decode.ts";
import type { Tally } from "./ledger/fold.ts";
import { type Candidate, type Plan, placeOf } from "./plan.ts";

interface Kept {
  batch_id: string;
  index: number;
  project_id: string;
  identity_hash: string;
  fingerprint: string;
  station: "edge" | "aggregator";
  version: number;
  reason: QuarantineReason;
  pointer: string;
  detail: string;
  original: string;
  received_ms: number;
}

/** A record kept whole. `decoded` tells its receipt where it could be read. */
export interface KeptRecord {
  place: Place;
  reason: QuarantineReason;
  detail: string;
  decoded?: DecodedRecord;
}

/**
 * Keeps the refused events of the records and what the store refused of the plan. What is kept already
 * is a duplicate: of a refused event that is noted in its record's tally, of the others in their fate.
 */
export async function quarantineEvents(
  tx: TransactionSql,
  records: readonly DecodedRecord[],
  plan: Plan,
): Promise<(tallies: ReadonlyMap<DecodedRecord, Tally>) => void> {
  const refused = records.flatMap(refusedOf);
  const found = plan.candidates.filter((one) => one.fate === "conflict" || one.fate === "unwritable");
  const rows = firsts([...refused.map(({ row }) => row), ...found.map((one) => foundRow(one, plan))]);
  if (rows.length === 0) return () => {};
  const inserted = await tx`
    insert into quarantine (
      batch_id, index, project_id, identity_hash, fingerprint, station, version, reason, pointer, detail,
      original, received_at
    )
    select
      batch_id, index, project_id, decode(identity_hash, 'hex'), fingerprint, station, version, reason,
      pointer, detail, decode(original, 'base64'), to_timestamp(received_ms / 1000.0)
    from jsonb_to_recordset(${tx.json(rows as never)}) as r(
      batch_id uuid, index int, project_id text, identity_hash text, fingerprint bigint, station text,
      version int, reason text, pointer text, detail text, original text, received_ms bigint
    )
    order by 4, 5
    on conflict do nothing
    returning batch_id, index`;
  const kept = new Set(inserted.map((row) => `${row["batch_id"]}/${row["index"]}`));
  for (const one of found) if (!kept.has(placeOf(one))) one.fate = "duplicate";
  return (tallies) => {
    for (const { decoded, row } of refused) {
      const counts = tallies.get(decoded);
      if (counts !== undefined && !kept.has(`${row.batch_id}/${row.index}`)) counts.refused_duplicate += 1;
    }
  };
}

/** Keeps whole records; their offsets are noted, so that every record below the position is accounted for. */
export async function quarantineRecords(
  tx: TransactionSql,
  log: LogIdentity,
  records: readonly KeptRecord[],
): Promise<void> {
  for (const { place, reason, detail, decoded } of records) {
    const receipt = decoded?.record.receipt;
    await tx`
      insert into quarantined_records (
        log_id, partition, log_offset, reason, detail, original, collector, collector_start, collector_number
      )
      values (
        ${log.id}, ${place.partition}, ${String(place.offset)}, ${reason}, ${plain(detail)},
        ${Buffer.from(place.value)}, ${receipt?.collector ?? null}, ${receipt?.start ?? null},
        ${receipt?.number ?? null}
      )
      on conflict do nothing`;
  }
}

/** Notes further records of known batches: counted nowhere, but their offsets and receipts are known. */
export async function noteRetransmissions(
  tx: TransactionSql,
  log: LogIdentity,
  records: readonly DecodedRecord[],
): Promise<void> {
  if (records.length === 0) return;
  const rows = records.map((decoded) => ({
    partition: decoded.partition,
    log_offset: String(decoded.offset),
    batch_id: decoded.batchId,
    collector: decoded.record.receipt.collector,
    collector_start: decoded.record.receipt.start,
    collector_number: decoded.record.receipt.number,
    collector_lowest_open: decoded.record.receipt.lowestOpen,
    collector_given_up: [...decoded.record.receipt.givenUp],
  }));
  await tx`
    insert into ledger_retransmissions (
      log_id, partition, log_offset, batch_id, collector, collector_start, collector_number,
      collector_lowest_open, collector_given_up
    )
    select ${log.id}, r.*
    from jsonb_to_recordset(${tx.json(rows)}) as r(
      partition int, log_offset bigint, batch_id uuid, collector text, collector_start bigint,
      collector_number bigint, collector_lowest_open bigint, collector_given_up bigint[]
    )
    order by partition, log_offset
    on conflict do nothing`;
}

function refusedOf(decoded: DecodedRecord): { decoded: DecodedRecord; row: Kept }[] {
  const { batch, outcomes } = decoded.record;
  if (!outcomes.includes(outcome.refused)) return [];
  const refusals = new Map(batch.refusals.map((refusal) => [refusal.index, refusal]));
  const rows: { decoded: DecodedRecord; row: Kept }[] = [];
  for (let index = 0; index < batch.count; index += 1) {
    if (outcomes[index] !== outcome.refused) continue;
    const refusal = refusals.get(index);
    const row: Kept = {
      ...common(decoded, index),
      station: "edge",
      reason: refusal?.code ?? "event_malformed",
      pointer: plain(refusal?.pointer ?? ""),
      detail: plain(refusal?.detail ?? "refused without a reason"),
    };
    rows.push({ decoded, row });
  }
  return rows;
}

function foundRow(one: Candidate, plan: Plan): Kept {
  const isConflict = one.fate === "conflict";
  const detail = isConflict
    ? "another content is stored under this identity"
    : (plan.unwritable.get(placeOf(one)) ?? "");
  return {
    ...common(one.decoded, one.index),
    station: "aggregator",
    reason: isConflict ? "conflict" : "event_unwritable",
    pointer: "",
    detail: plain(detail),
  };
}

// Of copies in one transaction the first is kept, whatever order the server sorts equal ones into.
function firsts(rows: readonly Kept[]): Kept[] {
  const byKey = new Map<string, Kept>();
  for (const row of rows) {
    const key = `${row.identity_hash}/${row.fingerprint}`;
    if (!byKey.has(key)) byKey.set(key, row);
  }
  return [...byKey.values()];
}

type Common = Omit<Kept, "station" | "reason" | "pointer" | "detail">;

function common(decoded: DecodedRecord, index: number): Common {
  const { batch } = decoded.record;
  const body = bodyOf(decoded, index);
  const hash = Buffer.from(batch.hashes.subarray(index * identityHashBytes, (index + 1) * identityHashBytes));
  const fingerprint = Buffer.from(
    batch.fingerprints.subarray(index * fingerprintBytes, (index + 1) * fingerprintBytes),
  );
  // An event refused before it had an identity is known by its bytes: all such would be copies otherwise.
  const known = hash.some((byte) => byte !== 0) ? hash : bytesHash(batch.project, body);
  return {
    batch_id: decoded.batchId,
    index,
    project_id: batch.project,
    identity_hash: known.toString("hex"),
    fingerprint: String(fingerprint.readBigInt64BE()),
    version: batchVersion,
    original: Buffer.from(body).toString("base64"),
    received_ms: batch.receivedAt,
  };
}

const bytesHash = (project: string, body: Uint8Array): Buffer =>
  createHash("sha256").update(`refused\0${project}\0`).update(body).digest().subarray(0, identityHashBytes);

// PostgreSQL's text holds no U+0000.
const plain = (text: string): string => text.replaceAll("\0", "\ufffd").toWellFormed();
