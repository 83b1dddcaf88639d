// Accept: the pipeline from decoded events to their outcomes. It knows no HTTP, so that a file goes the same way.
import type { Clock } from "../shared/clock.ts";
import { toUuid } from "../shared/event/bytes.ts";
import type { Hash } from "../shared/event/hash.ts";
import { hasFingerprint, type IdentityKind } from "../shared/event/identity.ts";
import type { Policy } from "../shared/event/policy.ts";
import type { KeyRight } from "../shared/event/write-key.ts";
import { identifierLengthMax } from "../shared/limits.ts";
import type { Logger } from "../shared/logger.ts";
import type { Meter } from "../shared/meter.ts";
import { type EventRefusal, WeirError } from "../shared/problem.ts";
import type { CollectorPort } from "../shared/wire/batch.ts";
import { canaryProject } from "../shared/wire/canary.ts";
import type { StreamPlace } from "../shared/wire/refusal.ts";
import { weirVersion } from "../shared/wire/version.ts";
import { createBatcher, type Part } from "./batch.ts";
import type { ClientFacts } from "./client.ts";
import type { Dialect } from "./dialect/dialect.ts";
import { EventFault } from "./fault.ts";
import { governedBy } from "./governed.ts";
import { type KeyedEvent, keyEvents } from "./key.ts";
import { eventIdOf, normalise } from "./normalise.ts";
import { coverRefused } from "./privacy/refused.ts";
import { createShield } from "./privacy/shield.ts";
import { isRecord } from "./schema.ts";
import { storableText } from "./text.ts";

export interface AcceptDeps {
  name: string;
  collector: CollectorPort;
  clock: Clock;
  hash: Hash;
  meter: Meter;
  logger: Logger;
  /** Whether requests share batches; true where it is not said. */
  groupCommit?: boolean;
  policyOf?: PolicyOf | undefined;
  /** Asks for the policies anew; false where their source did not answer. */
  renewPolicies?: (() => Promise<boolean>) | undefined;
}

/** What a project asks of its events; undefined where nobody has told, and without it of every project. */
export type PolicyOf = (project: string) => Policy | undefined | Promise<Policy | undefined>;

/** Events of one project, and what is known about the whole of them. Times are epoch ms. */
export interface Submission {
  project: string;
  rights: readonly KeyRight[];
  dialect: Dialect;
  events: readonly unknown[];
  /** The bytes of an event as they came; asked only where it is refused. */
  original(index: number): Uint8Array;
  receivedAt: number;
  sentAt?: number | undefined;
  /** What decoding found wrong with single events. */
  faults?: ReadonlyMap<number, EventFault>;
  /** False is a promise that no text holds U+0000 or a lone surrogate. */
  suspectText?: boolean;
  requestId?: string | undefined;
  /** W3C trace context, checked before. */
  traceparent?: string | undefined;
  /** What the adapter knows of who sent it; undefined where it came by no request, as from a file. */
  client?: ClientFacts | undefined;
  /** The request says Sec-GPC: 1 or DNT: 1. */
  optsOut?: boolean | undefined;
  /** Takes this identity for every event, and refuses those that cannot have it. */
  identity?: IdentityKind | undefined;
  /** Names each part's batch id, so that a file read again sends the same batches. */
  batchId?: ((part: number) => Uint8Array) | undefined;
}

/** One outcome an event: `parts` cover the submission in order, `errors` explain the refused ones. */
export interface Accepted {
  parts: readonly Part[];
  errors: readonly EventRefusal[];
}

export interface Accept {
  /**
   * Resolves when every event is durable or known to be. Rejects with a WeirError where that is not
   * certain; the same events may then be sent again.
   */
  submit(submission: Submission): Promise<Accepted>;
  /** False once it is closing. */
  isOpen(): boolean;
  /** Refuses what comes from now on, and waits for what is on its way. */
  close(): Promise<void>;
}

export function createAccept(deps: AcceptDeps): Accept {
  const batcher = createBatcher({ ...deps, groupCommit: deps.groupCommit ?? true });
  let isOpen = true;
  return {
    isOpen: () => isOpen,
    async close() {
      isOpen = false;
      await batcher.close();
    },
    async submit(submission) {
      const { project, events, dialect, rights } = submission;
      if (project === canaryProject) throw new WeirError("forbidden", "This project is Weir's own.");
      const historical = rights.includes("historical");
      const { policy, shield, normalised } = await judge(submission, historical);
      const eventId = (index: number): unknown => {
        const event = events[index];
        return isRecord(event) ? eventIdOf(event, dialect) : undefined;
      };
      const { identity = null, sentAt = null } = submission;
      const origin = { version: weirVersion, dialect: dialect.name, identity, sentAt };
      const place = (index: number) => placeOf(events[index], submission);
      const refused = { project, historical, eventId, original: submission.original, origin, place };
      const keyed = await keyEvents(normalised, refused, deps.hash);
      if (shield !== undefined) coverRefused(keyed, events, dialect, shield);
      const { receivedAt, traceparent, batchId } = submission;
      // What comes by no request is the operator's own doing, and no part of the day's events.
      const quota = submission.client === undefined ? null : (policy?.quota_events_per_day ?? null);
      const parts = await batcher.add({ project, receivedAt, traceparent, events: keyed, batchId, quota });
      const errors = refusalsOf(keyed);
      if (errors.length > 0) report(errors, parts, deps);
      return { parts, errors };
    },
  };

  // What the project asks, and each event as that has it or refused.
  async function judge(submission: Submission, historical: boolean, isRenewed = false) {
    const { project, events, faults, dialect, client, optsOut = false } = submission;
    const asked = deps.policyOf?.(project);
    const policy = asked instanceof Promise ? await asked : asked;
    const mayState = submission.rights.includes("client_context");
    const consentTaken = submission.rights.includes("consent_taken");
    const shield = createShield(policy, { client, mayState, consentTaken, optsOut });
    const governed = governedBy(policy?.governed_types);
    const circumstances = {
      project,
      dialect,
      historical,
      identity: submission.identity,
      receivedAt: submission.receivedAt,
      sentAt: submission.sentAt,
      suspectText: submission.suspectText ?? true,
      requestId: submission.requestId,
      traceId: submission.traceparent?.split("-")[1],
      shield,
      governed,
    };
    const normalised = events.map((event, index) => faults?.get(index) ?? normalise(event, circumstances));
    const { renewPolicies } = deps;
    if (governed === undefined || isRenewed || renewPolicies === undefined || !normalised.some(isTooNew)) {
      return { policy, shield, normalised };
    }
    // The version may be one that this edge has not been told of yet.
    if (await renewPolicies()) return await judge(submission, historical, true);
    throw new WeirError("not_ready", "A version of a governed type is not known here yet; send it again.");
  }
}

const isTooNew = (event: unknown): boolean => event instanceof EventFault && event.code === "version_unknown";

// A kind without a fingerprint leaves the number open, and so does a dialect that has no streams.
function placeOf(event: unknown, { dialect, identity }: Submission): StreamPlace | undefined {
  const isNumbering = dialect.identity === "native" && (identity === undefined || hasFingerprint(identity));
  if (!isNumbering || !isRecord(event)) return undefined;
  const [streamId, seq] = [event[dialect.nameOf("stream_id")], event[dialect.nameOf("seq")]];
  const isNamed = typeof streamId === "string" && streamId !== "" && streamId.length <= identifierLengthMax;
  return isNamed && Number.isSafeInteger(seq) && (seq as number) >= 0
    ? { streamId: storableText(streamId), seq: seq as number }
    : undefined;
}

function refusalsOf(events: readonly KeyedEvent[]): EventRefusal[] {
  const refusals: EventRefusal[] = [];
  for (let index = 0; index < events.length; index += 1) {
    const { event } = events[index]!;
    if (!(event instanceof EventFault)) continue;
    refusals.push({ index, code: event.code, pointer: event.pointer, detail: event.detail });
  }
  return refusals;
}

// One line a request, however many it refused: the others stand in quarantine. No pointer, since the keys
// of a payload may name people.
function report(errors: readonly EventRefusal[], parts: readonly Part[], deps: AcceptDeps): void {
  for (const { code } of errors) deps.meter.count("weir.edge.refusals", 1, { "weir.code": code });
  const first = errors[0]!;
  const part = parts.findLast(({ from }) => from <= first.index)!;
  deps.logger.error("events_refused", {
    refused: errors.length,
    batch_id: toUuid(part.batchId),
    index: part.at + first.index - part.from,
    reason: first.code,
  });
}
