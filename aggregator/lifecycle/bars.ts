// What retention and erasure keep out: events that must not come back, however late a copy of them arrives.
import type { TransactionSql } from "postgres";
import { unpackEvent } from "../../shared/wire/packed-event.ts";
import { bodyOf } from "../decode.ts";
import type { Candidate, Plan } from "../plan.ts";

/** What is barred in the projects of one transaction. */
export interface Bars {
  /** From which event time on (epoch ms) events are retained, by project and type; the type '' is all. */
  retained: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Projects with erased subjects. */
  erasing: ReadonlySet<string>;
  /** Whether any stream was removed, of whatever project. */
  hasRemovedStreams: boolean;
}

export type SubjectKind = "user_id" | "anonymous_id";

/** The hash a subject is known by, hex: whoever holds the table alone cannot tell who it was. */
export const subjectHash = (project: string, kind: SubjectKind, id: string): string =>
  new Bun.CryptoHasher("sha256").update(JSON.stringify(["weir.subject", project, kind, id])).digest("hex");

/**
 * Reads what is barred. Runs after the lock of `lockMoved`: whoever raises a bar waits for the transactions
 * that hold it, so each of them has seen the bar or is done before the rows under it are removed.
 */
export async function readBars(tx: TransactionSql, plan: Plan): Promise<Bars> {
  const projects = [...new Set(plan.kept.map(({ decoded }) => decoded.record.batch.project))];
  const rows = await tx`
    select project_id, type, (extract(epoch from retained_from) * 1000)::float8 as from_ms
    from retained_from
    where project_id = any(${projects})
    union all
    select distinct project_id, null, null::float8
    from erasures
    where project_id = any(${projects})
    union all
    select null, null, null
    where exists (select 1 from removed_streams)`;
  const retained = new Map<string, Map<string, number>>();
  const erasing = new Set<string>();
  let hasRemovedStreams = false;
  for (const row of rows) {
    if (row["project_id"] === null) {
      hasRemovedStreams = true;
      continue;
    }
    const project = String(row["project_id"]);
    const types = retained.get(project) ?? new Map<string, number>();
    if (row["type"] === null) erasing.add(project);
    else retained.set(project, types.set(String(row["type"]), row["from_ms"] as number));
  }
  return { retained, erasing, hasRemovedStreams };
}

/** Gives the kept events that are barred, and their copies here, their fate. */
export async function applyBars(tx: TransactionSql, plan: Plan, bars: Bars): Promise<void> {
  if (bars.retained.size === 0 && bars.erasing.size === 0) return;
  const asked: { one: Candidate; hash: string }[] = [];
  let isBarred = false;
  for (const one of plan.kept) {
    const { project } = one.decoded.record.batch;
    const types = bars.retained.get(project);
    const isErasing = bars.erasing.has(project);
    if (types === undefined && !isErasing) continue;
    const event = unpackEvent(bodyOf(one.decoded, one.index));
    if (types !== undefined && one.time < Math.max(types.get("") ?? 0, types.get(event.type) ?? 0)) {
      one.fate = "expired";
      isBarred = true;
    } else if (isErasing) {
      for (const [kind, id] of [
        ["user_id", event.userId],
        ["anonymous_id", event.anonymousId],
      ] as const) {
        if (id !== null) asked.push({ one, hash: subjectHash(project, kind, id) });
      }
    }
  }
  const until = await erasedUntil(tx, new Set(asked.map(({ hash }) => hash)));
  for (const { one, hash } of asked) {
    if (one.time > (until.get(hash) ?? Number.NEGATIVE_INFINITY)) continue;
    one.fate = "erased";
    isBarred = true;
  }
  if (!isBarred) return;
  // A copy of what may not be here must not be kept for being one, and least of all whole, as a conflict.
  for (const one of plan.candidates) {
    const fate = one.first?.fate;
    if (fate === "expired" || fate === "erased") one.fate = fate;
  }
}

async function erasedUntil(tx: TransactionSql, hashes: ReadonlySet<string>): Promise<Map<string, number>> {
  if (hashes.size === 0) return new Map();
  const rows = await tx`
    select encode(subject_hash, 'hex') as hash, (extract(epoch from erased_until) * 1000)::float8 as until_ms
    from erasures
    where subject_hash = any(array(select decode(h, 'hex') from unnest(${[...hashes]}::text[]) as h))`;
  return new Map(rows.map((row) => [String(row["hash"]), row["until_ms"] as number]));
}
