// What the store already holds under some ids: the fingerprints to compare copies with.
import type { TransactionSql } from "postgres";
import { toUuid } from "../shared/event/bytes.ts";
import { eventTimeOf, fingerprintBytes } from "../shared/event/identity.ts";

const dayMs = 24 * 60 * 60_000;

/**
 * The fingerprints of the stored events among `keys` (ids as latin1 texts). One statement a day, so that
 * each looks into the one partition or chunk of that day.
 */
export async function storedFingerprints(
  tx: TransactionSql,
  keys: readonly string[],
): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  const answers = [...byDay(keys)].map(async ([day, ids]) => {
    const [row] = await tx`
      select string_agg(uuid_send(id) || int8send(fingerprint), ''::bytea) as pairs
      from events
      where id = any(${ids}::uuid[])
        and event_time >= ${new Date(day * dayMs)} and event_time < ${new Date((day + 1) * dayMs)}`;
    const pairs: Buffer = row?.["pairs"] ?? Buffer.alloc(0);
    const size = 16 + fingerprintBytes;
    for (let at = 0; at < pairs.length; at += size) {
      found.set(pairs.toString("latin1", at, at + 16), pairs.subarray(at + 16, at + size));
    }
  });
  await Promise.all(answers);
  return found;
}

/** An id's latin1 text in the dashed form. */
export const uuidOf = (key: string): string => toUuid(Buffer.from(key, "latin1"));

function byDay(keys: readonly string[]): Map<number, string[]> {
  const days = new Map<number, string[]>();
  for (const key of keys) {
    const id = Buffer.from(key, "latin1");
    const day = Math.floor(eventTimeOf(id) / dayMs);
    const ids = days.get(day);
    if (ids === undefined) days.set(day, [toUuid(id)]);
    else ids.push(toUuid(id));
  }
  return days;
}
