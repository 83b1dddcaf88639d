// What must be true once everything is quiet, from the clients' account and the tables alone.
import { toHex } from "../../../shared/event/bytes.ts";
import type { MemoryTopic } from "../../../shared/log/memory.ts";
import { isPublished, outcome } from "../../../shared/wire/batch.ts";
import { unpackEvent } from "../../../shared/wire/packed-event.ts";
import { unpackRecord } from "../../../shared/wire/record.ts";
import type { Account } from "./clients.ts";
import type { Tables } from "./tables.ts";

const contentOf = (payload: string): number => (JSON.parse(payload) as { content: number }).content;

/** Every sentence that does not hold. `excused` are event ids in records that retention took unread. */
export function judgeRun(
  account: Account,
  tables: Tables,
  topic: MemoryTopic,
  excused: ReadonlySet<string>,
): string[] {
  const wrong: string[] = [];
  const stored = new Map<string, number>();
  for (const { eventId, payload } of tables.events.values()) {
    const content = contentOf(payload);
    if (stored.has(eventId)) wrong.push(`${eventId} is stored twice`);
    stored.set(eventId, content);
    if (account.sent.get(eventId)?.has(content) !== true)
      wrong.push(`${eventId}/${content} is stored and was never sent`);
  }
  const kept = new Set<string>();
  for (const { reason, original } of tables.quarantine.values()) {
    const event = unpackEvent(Buffer.from(original, "base64"));
    if (reason !== "conflict") wrong.push(`${event.eventId} is in quarantine as ${reason}`);
    kept.add(`${event.eventId}/${contentOf(event.payload)}`);
  }
  for (const { id, content } of account.acked) {
    if (excused.has(id) || stored.get(id) === content) continue;
    if (!(stored.has(id) && kept.has(`${id}/${content}`)))
      wrong.push(`${id}/${content} was acknowledged and is nowhere`);
  }
  return [...wrong, ...ledgerFaults(tables), ...offsetFaults(tables, topic)];
}

function ledgerFaults(tables: Tables): string[] {
  const wrong: string[] = [];
  const sum = { stored: 0, conflict: 0 };
  for (const [batchId, { decoded, tally }] of tables.ledger) {
    const { outcomes } = decoded.record;
    const published = outcomes.filter(isPublished).length;
    const { stored, duplicate_stored, conflict, unwritable, expired, erased } = tally;
    if (published !== stored + duplicate_stored + conflict + unwritable + expired + erased)
      wrong.push(`batch ${batchId} does not close`);
    sum.stored += stored;
    sum.conflict += conflict;
  }
  if (sum.stored !== tables.events.size)
    wrong.push(`the ledger says ${sum.stored} stored, and ${tables.events.size} are`);
  if (sum.conflict !== tables.quarantine.size)
    wrong.push(`the ledger says ${sum.conflict} conflicts, and ${tables.quarantine.size} are kept`);
  return wrong;
}

// Every record below a position is accounted for, once.
function offsetFaults(tables: Tables, topic: MemoryTopic): string[] {
  const counted = new Map<number, number>();
  const count = (partition: number, records = 1): void =>
    void counted.set(partition, (counted.get(partition) ?? 0) + records);
  for (const { decoded } of tables.ledger.values()) count(decoded.partition);
  for (const place of [...tables.retransmissions.keys(), ...tables.records.keys()])
    count(Number(place.split("/")[0]));
  for (const { partition, from, to } of tables.holes) count(partition, Number(to - from));
  return [...tables.positions].flatMap(([partition, { next }]) => {
    const last = topic.kept[partition]!.records.at(-1);
    const wrong: string[] = [];
    // A hole at the very end is seen with the next record.
    if (last !== undefined && next !== last.offset + 1n)
      wrong.push(`partition ${partition} is not read to its end`);
    if (Number(next) !== (counted.get(partition) ?? 0))
      wrong.push(
        `partition ${partition} has ${next} records, and ${counted.get(partition) ?? 0} are accounted for`,
      );
    return wrong;
  });
}

/** What a claim may call a duplicate: identities with their content that a record in the log holds. */
export interface Landed {
  add(record: Uint8Array): void;
  has(hashes: Uint8Array, fingerprints: Uint8Array, index: number): boolean;
}

export function createLanded(): Landed {
  const known = new Set<string>();
  const keyOf = (hashes: Uint8Array, fingerprints: Uint8Array, index: number): string =>
    toHex(hashes.subarray(index * 16, index * 16 + 16)) +
    toHex(fingerprints.subarray(index * 8, index * 8 + 8));
  return {
    add(record) {
      const { batch, outcomes } = unpackRecord(record);
      outcomes.forEach((code, index) => {
        if (code <= outcome.unchecked) known.add(keyOf(batch.hashes, batch.fingerprints, index));
      });
    },
    has: (hashes, fingerprints, index) => known.has(keyOf(hashes, fingerprints, index)),
  };
}
