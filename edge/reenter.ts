// Re-enter: quarantined events through the edge's own steps, as new batches under given ids.
import { flag } from "../shared/event/event.ts";
import { digestBytes, type Hash } from "../shared/event/hash.ts";
import {
  fingerprintBytes,
  type IdentityKind,
  identityHashBytes,
  identityKinds,
} from "../shared/event/identity.ts";
import { WeirError } from "../shared/problem.ts";
import { type Batch, type CollectorPort, outcome } from "../shared/wire/batch.ts";
import type { OriginalEvent, PackedEvent, Reenter, Reentered } from "../shared/wire/reentry.ts";
import { weirVersion } from "../shared/wire/version.ts";
import type { PolicyOf } from "./accept.ts";
import { type BatchHead, createColumns } from "./columns.ts";
import { decodeOriginal } from "./decode-original.ts";
import { dialectNamed } from "./dialect/doors.ts";
import { EventFault } from "./fault.ts";
import { type GovernedTypes, governedBy } from "./governed.ts";
import { type KeyedEvent, keyEvents } from "./key.ts";
import { eventIdOf, normalise } from "./normalise.ts";
import { coverRefused } from "./privacy/refused.ts";
import { createShield, type Shield } from "./privacy/shield.ts";
import { isRecord } from "./schema.ts";

export interface ReenterDeps {
  name: string;
  collector: CollectorPort;
  hash: Hash;
  policyOf?: PolicyOf | undefined;
}

/** The way back in over one collector; a batch is sent whole or not at all. */
export function createReenter(deps: ReenterDeps): Reenter {
  return {
    async send(reentry) {
      const { batchId, project, receivedAt } = reentry;
      const head = { batchId, project, edge: deps.name, receivedAt, traceparent: null };
      const batch =
        reentry.originals.length > 0
          ? await batchOfOriginals(head, reentry.originals, deps)
          : batchOfPacked(head, reentry.packed);
      const { outcomes } = await deps.collector.send(batch);
      if (outcomes.length !== batch.count) {
        throw new WeirError("log_unavailable", "The collector's answer does not belong to the batch.");
      }
      return answers(batch, outcomes);
    },
  };
}

async function batchOfOriginals(
  head: BatchHead,
  originals: readonly OriginalEvent[],
  { hash, policyOf }: ReenterDeps,
): Promise<Batch> {
  const columns = createColumns(originals.length);
  // Which client it was is not kept with an event, so that its own word on it is believed as little as ever.
  const ground = { client: {}, mayState: false, optsOut: false, isBack: true };
  const policy = await policyOf?.(head.project);
  const rules = { shield: createShield(policy, ground), governed: governedBy(policy?.governed_types) };
  for (const original of originals) {
    if (!columns.append(await keyOriginal(head.project, original, hash, rules))) {
      throw new WeirError("record_too_large", "The events do not fit into one batch.");
    }
  }
  return await columns.seal(head, hash);
}

// Judged as it came then: by the same dialect, rights and clock, with the code and the policy of now.
async function keyOriginal(
  project: string,
  original: OriginalEvent,
  hash: Hash,
  rules: { shield: Shield | undefined; governed: GovernedTypes | undefined },
): Promise<KeyedEvent> {
  const dialect = dialectNamed(original.dialect);
  const { event, fault, suspectText } = decodeOriginal(original.bytes);
  const { historical, sentAt } = original;
  const identity = identityKinds.find((kind): kind is IdentityKind => kind === original.identity);
  const circumstances = { project, dialect, identity, historical, sentAt, suspectText, ...rules };
  const unknown = { requestId: undefined, traceId: undefined };
  const normalised =
    fault ?? normalise(event, { ...circumstances, ...unknown, receivedAt: original.judgedAt });
  const asked = { identity: original.identity ?? null, sentAt: sentAt ?? null };
  const refused = {
    project,
    historical,
    eventId: () => (isRecord(event) ? eventIdOf(event, dialect) : undefined),
    original: () => original.bytes,
    origin: { version: weirVersion, dialect: dialect.name, ...asked },
  };
  const keyed = await keyEvents([normalised], refused, hash);
  if (rules.shield !== undefined) coverRefused(keyed, [event], dialect, rules.shield);
  return knownAs(keyed[0]!, original);
}

// Refused again it is the same refused event; without an identity of its own it is that of its first place.
// One that was kept without part of its content is what it was as sent.
function knownAs(keyed: KeyedEvent, original: OriginalEvent): KeyedEvent {
  const isRefused = keyed.event instanceof EventFault;
  const { isRedacted } = original;
  if (!isRefused && !isRedacted && keyed.identityAt >= 0) return keyed;
  const at = keyed.digests.length;
  const digests = new Uint8Array(at + 2 * digestBytes);
  digests.set(keyed.digests);
  digests.set(original.hash, at);
  digests.set(original.fingerprint, at + digestBytes);
  return {
    ...keyed,
    digests,
    identityAt: at,
    fingerprintAt: isRefused || isRedacted ? at + digestBytes : keyed.fingerprintAt,
    flags: keyed.flags | (isRedacted ? flag.redacted : 0),
  };
}

function batchOfPacked(head: BatchHead, packed: readonly PackedEvent[]): Batch {
  const join = (of: (event: PackedEvent) => Uint8Array): Uint8Array => joined(packed.map(of));
  return {
    ...head,
    count: packed.length,
    ids: join((event) => event.key),
    hashes: join((event) => event.hash),
    fingerprints: join((event) => event.fingerprint),
    flags: Uint8Array.from(packed, (event) => event.flags),
    sizes: packed.map((event) => event.bytes.length),
    bodies: join((event) => event.bytes),
    refusals: [],
  };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function answers(batch: Batch, outcomes: Uint8Array): Reentered[] {
  const refusals = new Map(batch.refusals.map((refusal) => [refusal.index, refusal]));
  return Array.from(outcomes, (code, index) => {
    const { code: reason, pointer, detail } = refusals.get(index) ?? unnamed;
    return {
      refusal: code === outcome.refused ? { index, code: reason, pointer, detail } : undefined,
      isKnown: code === outcome.duplicate,
      key: batch.ids.slice(index * 16, index * 16 + 16),
      hash: batch.hashes.slice(index * identityHashBytes, (index + 1) * identityHashBytes),
      fingerprint: batch.fingerprints.slice(index * fingerprintBytes, (index + 1) * fingerprintBytes),
    };
  });
}

const unnamed = { code: "event_malformed", pointer: "", detail: "refused without a reason" } as const;
