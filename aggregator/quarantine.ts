// What is kept apart, whole and with its reason: refused events, conflicts, what no row can be made of.
import { createHash } from "node:crypto";
import type { TransactionSql } from "postgres";
import { fingerprintBytes, identityHashBytes } from "../shared/event/identity.ts";
import type { QuarantineReason } from "../shared/problem.ts";
import { batchVersion, outcome } from "../shared/wire/batch.ts";
import { weirVersion } from "../shared/wire/version.ts";
import { bodyOf, type DecodedRecord } from "./decode.ts";
import { plain } from "./kept-records.ts";
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
  weir_version: string;
  event_key: string | null;
  flags: number;
  dialect: string;
  identity_asked: string | null;
  sent_ms: number | null;
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
      original, received_at, weir_version, event_key, flags, dialect, identity_asked, sent_at
    )
    select
      batch_id, index, project_id, decode(identity_hash, 'hex'), fingerprint, station, version, reason,
      pointer, detail, decode(original, 'base64'), to_timestamp(received_ms / 1000.0),
      weir_version, event_key, flags, dialect, identity_asked, to_timestamp(sent_ms / 1000.0)
    from jsonb_to_recordset(${tx.json(rows as never)}) as r(
      batch_id uuid, index int, project_id text, identity_hash text, fingerprint bigint, station text,
      version int, reason text, pointer text, detail text, original text, received_ms bigint,
      weir_version text, event_key uuid, flags smallint, dialect text, identity_asked text, sent_ms bigint
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
      weir_version: plain(refusal?.origin?.version ?? ""),
      event_key: null,
      dialect: plain(refusal?.origin?.dialect ?? "native"),
      identity_asked: refusal?.origin?.identity ?? null,
      sent_ms: storableMs(refusal?.origin?.sentAt ?? null),
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
    weir_version: weirVersion,
    event_key: Buffer.from(one.key, "latin1").toString("hex"),
    dialect: "native",
    identity_asked: null,
    sent_ms: null,
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

type Told = "station" | "reason" | "pointer" | "detail" | "weir_version" | "event_key" | "dialect";
type Common = Omit<Kept, Told | "identity_asked" | "sent_ms">;

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
    flags: batch.flags[index]!,
  };
}

// PostgreSQL's calendar ends long before a double's whole numbers do.
const storableMs = (ms: number | null): number | null => (ms !== null && Math.abs(ms) <= 8.64e15 ? ms : null);

const bytesHash = (project: string, body: Uint8Array): Buffer =>
  createHash("sha256").update(`refused\0${project}\0`).update(body).digest().subarray(0, identityHashBytes);
