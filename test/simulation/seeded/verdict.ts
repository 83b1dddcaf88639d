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
    const bytes = Buffer.from(original, "base64");
    if (reason === "conflict") {
      const event = unpackEvent(bytes);
      kept.add(`${event.eventId}/${contentOf(event.payload)}`);
    } else {
      const event = JSON.parse(bytes.toString()) as { event_id: string; type?: string };
      if (event.type !== undefined)
        wrong.push(`${event.event_id} is a good event in quarantine as ${reason}`);
      kept.add(event.event_id);
    }
  }
  for (const { id, content, isBroken } of account.acked) {
    if (excused.has(id)) continue;
    const isKept = isBroken ? kept.has(id) : stored.has(id) && kept.has(`${id}/${content}`);
    if (stored.get(id) !== content && !isKept) wrong.push(`${id}/${content} was acknowledged and is nowhere`);
  }
  return [...wrong, ...ledgerFaults(tables), ...offsetFaults(tables, topic)];
}

function ledgerFaults(tables: Tables): string[] {
  const wrong: string[] = [];
  const sum = { stored: 0, kept: 0 };
  for (const [batchId, { decoded, tally }] of tables.ledger) {
    const { outcomes } = decoded.record;
    const published = outcomes.filter(isPublished).length;
    const { stored, duplicate_stored, conflict, unwritable, expired, erased } = tally;
    if (published !== stored + duplicate_stored + conflict + unwritable + expired + erased)
      wrong.push(`batch ${batchId} does not close`);
    sum.stored += stored;
    const refused = outcomes.filter((code) => code === outcome.refused).length;
    sum.kept += conflict + refused - tally.refused_duplicate;
  }
  if (sum.stored !== tables.events.size)
    wrong.push(`the ledger says ${sum.stored} stored, and ${tables.events.size} are`);
  if (sum.kept !== tables.quarantine.size)
    wrong.push(`the ledger says ${sum.kept} quarantined, and ${tables.quarantine.size} are`);
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

/** What the log has taken, whether or not it has kept it. */
export interface Landed {
  add(record: Uint8Array): void;
  /** Whether a record holds this event with this content, so that a claim may call it a duplicate. */
  has(hashes: Uint8Array, fingerprints: Uint8Array, index: number): boolean;
  /** Numbers below the lowest open one of their collector's start that came in no record and were not given up. */
  missing(): string[];
}

export function createLanded(): Landed {
  const known = new Set<string>();
  const starts = new Map<string, { told: Set<number>; lowestOpen: number }>();
  const keyOf = (hashes: Uint8Array, fingerprints: Uint8Array, index: number): string =>
    toHex(hashes.subarray(index * 16, index * 16 + 16)) +
    toHex(fingerprints.subarray(index * 8, index * 8 + 8));
  return {
    add(record) {
      const { batch, outcomes, receipt } = unpackRecord(record);
      outcomes.forEach((code, index) => {
        if (isPublished(code)) known.add(keyOf(batch.hashes, batch.fingerprints, index));
      });
      const name = `${receipt.collector} of ${receipt.start}`;
      const start = starts.get(name) ?? { told: new Set(), lowestOpen: 0 };
      starts.set(name, start);
      for (const number of [receipt.number, ...receipt.givenUp]) start.told.add(number);
      start.lowestOpen = Math.max(start.lowestOpen, receipt.lowestOpen);
    },
    has: (hashes, fingerprints, index) => known.has(keyOf(hashes, fingerprints, index)),
    missing: () =>
      [...starts].flatMap(([name, { told, lowestOpen }]) =>
        Array.from({ length: lowestOpen }, (_, number) => number)
          .filter((number) => !told.has(number))
          .map((number) => `record ${number} of ${name} is lost, and nobody gave it up`),
      ),
  };
}
