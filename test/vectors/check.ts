// Holds the vectors against the code. Runs on any runtime, so it uses no test framework.
import { growthEvent } from "../../edge/dialect/growth-event.ts";
import { native } from "../../edge/dialect/native.ts";
import { EventFault } from "../../edge/fault.ts";
import { normalise } from "../../edge/normalise.ts";
import { fromHex, toHex, toUuid } from "../../shared/event/bytes.ts";
import { canonical } from "../../shared/event/canonical.ts";
import { digestBytes, type Hash } from "../../shared/event/hash.ts";
import {
  arrivalIdentity,
  fingerprintBytes,
  identityHashBytes,
  writeId,
} from "../../shared/event/identity.ts";
import { readTime } from "../../shared/event/time.ts";
import { partitionOf } from "../../shared/wire/partition.ts";

/** The file's shape; the names are explained in it. */
export interface Vectors {
  canonical: [json: string, text: string][];
  times: [value: string | number, reading: string | number][];
  partitions: { batch_id: string; partitions: number; partition: number }[];
  arrivals: { batch_id: string; index: number; text: string; hash: string; event_time: number; id: string }[];
  events: {
    note: string;
    dialect: string;
    project: string;
    received_at: number;
    event: Record<string, unknown>;
    identity: string;
    identity_text: string | null;
    identity_hash?: string;
    id?: string;
    event_time: number;
    flags: number;
    fingerprint_text: string | null;
    fingerprint: string | null;
  }[];
}

/** Every vector as a pair of what the code gives and what the file says. */
export async function checkVectors(
  vectors: Vectors,
  hash: Hash,
): Promise<{ name: string; made: unknown; expected: unknown }[]> {
  const found: { name: string; made: unknown; expected: unknown }[] = [];
  const hashOf = async (text: string): Promise<Uint8Array> =>
    (await hash(["another text", text])).slice(digestBytes);
  const idOf = (eventTime: number, digest: Uint8Array): string => {
    const id = new Uint8Array(16);
    writeId(id, 0, eventTime, digest);
    return toUuid(id);
  };
  for (const [json, expected] of vectors.canonical) {
    found.push({ name: `canonical ${json}`, made: canonical(JSON.parse(json)), expected });
  }
  for (const [value, expected] of vectors.times) {
    found.push({ name: `time ${value}`, made: readTime(value), expected });
  }
  for (const { batch_id, partitions, partition } of vectors.partitions) {
    const made = partitionOf(fromHex(batch_id), partitions);
    found.push({ name: `partition of ${batch_id} among ${partitions}`, made, expected: partition });
  }
  for (const { batch_id, index, text, hash: hex, event_time, id } of vectors.arrivals) {
    const made = arrivalIdentity(batch_id, index);
    const digest = await hashOf(made);
    const all = [made, toHex(digest.subarray(0, identityHashBytes)), idOf(event_time, digest)];
    found.push({ name: `arrival ${index}`, made: all, expected: [text, hex, id] });
  }
  for (const vector of vectors.events) {
    const made = normalise(vector.event, {
      project: vector.project,
      dialect: vector.dialect === "native" ? native : growthEvent,
      identity: undefined,
      historical: false,
      receivedAt: vector.received_at,
      sentAt: undefined,
      suspectText: true,
      requestId: "request",
      traceId: undefined,
    });
    if (made instanceof EventFault) {
      found.push({ name: vector.note, made, expected: vector });
      continue;
    }
    const { identityText = null, fingerprintText = null } = made;
    const digest = identityText === null ? undefined : await hashOf(identityText);
    const fingerprint = fingerprintText === null ? null : await hashOf(fingerprintText);
    found.push({
      name: vector.note,
      made: [
        made.identity,
        identityText,
        fingerprintText,
        made.eventTime,
        made.flags,
        digest && toHex(digest.subarray(0, identityHashBytes)),
        digest && idOf(made.eventTime, digest),
        fingerprint && toHex(fingerprint.subarray(0, fingerprintBytes)),
      ],
      expected: [
        vector.identity,
        vector.identity_text,
        vector.fingerprint_text,
        vector.event_time,
        vector.flags,
        vector.identity_hash,
        vector.id,
        vector.fingerprint,
      ],
    });
  }
  return found;
}
