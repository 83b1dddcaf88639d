// Key: the hashes an event is known by, made for a whole request at once.
import { flag, type NormalisedEvent } from "../shared/event/event.ts";
import { digestBytes, type Hash } from "../shared/event/hash.ts";
import { eventIdIdentity } from "../shared/event/identity.ts";
import { identifierLengthMax } from "../shared/limits.ts";
import type { RefusalOrigin, StreamPlace } from "../shared/wire/refusal.ts";
import { EventFault } from "./fault.ts";

/** One event, or why it is refused, with the places of its hashes among the request's digests. */
export interface KeyedEvent {
  event: NormalisedEvent | EventFault;
  digests: Uint8Array;
  /** −1 for `arrival`, until the event has its place in a batch. */
  identityAt: number;
  /** −1 for the kinds that have none. */
  fingerprintAt: number;
  flags: number;
  /** The bytes of a refused event as they came. */
  original: Uint8Array | undefined;
  /** What was known of a refused event beside its bytes. */
  origin?: RefusalOrigin | undefined;
  /** The number a refused event has in its stream. */
  place?: StreamPlace | undefined;
}

/** What a refused event can still be known by. */
export interface Refused {
  project: string;
  historical: boolean;
  /** The client's own id of an event, where it gave one. */
  eventId(index: number): unknown;
  /** Its number in a stream, where it names both. */
  place?(index: number): StreamPlace | undefined;
  /** The event's bytes as they came. */
  original(index: number): Uint8Array;
  origin?: RefusalOrigin | undefined;
}

/** Keys a request's events in their order; one call of `hash` for all of them. */
export async function keyEvents(
  events: readonly (NormalisedEvent | EventFault)[],
  refused: Refused,
  hash: Hash,
): Promise<KeyedEvent[]> {
  const texts: string[] = [];
  const place = (text: string | undefined): number =>
    text === undefined ? -1 : (texts.push(text) - 1) * digestBytes;
  const keyed = events.map((event, index): KeyedEvent => {
    if (event instanceof EventFault) return keyRefused(event, index, refused, place);
    const identityAt = place(event.identityText);
    const fingerprintAt = place(event.fingerprintText);
    return { event, digests: noDigests, identityAt, fingerprintAt, flags: event.flags, original: undefined };
  });
  const digests = await hash(texts);
  for (const one of keyed) one.digests = digests;
  const faulty = keyed.filter(({ event }) => event instanceof EventFault && event.known === undefined);
  return faulty.length === 0 ? keyed : withContents(keyed, faulty, digests);
}

const noDigests = new Uint8Array();

function keyRefused(
  event: EventFault,
  index: number,
  refused: Refused,
  place: (text: string | undefined) => number,
): KeyedEvent {
  const beside = { original: refused.original(index), origin: refused.origin, place: refused.place?.(index) };
  if (event.known !== undefined) {
    const { identityText, fingerprintText, flags } = event.known;
    const [identityAt, fingerprintAt] = [place(identityText), place(fingerprintText)];
    return { event, digests: noDigests, identityAt, fingerprintAt, flags: flags | flag.redacted, ...beside };
  }
  const eventId = refused.eventId(index);
  const isKnown = typeof eventId === "string" && eventId !== "" && eventId.length <= identifierLengthMax;
  return {
    event,
    digests: noDigests,
    identityAt: place(isKnown ? eventIdIdentity(refused.project, eventId) : undefined),
    fingerprintAt: -1,
    flags: (isKnown ? 0 : flag.weak) | (refused.historical ? flag.historical : 0),
    ...beside,
  };
}

// The fingerprint of a refused event is taken over its bytes as they came. They need not be text, so they
// do not go through the hash port; refusals are rare.
async function withContents(
  keyed: KeyedEvent[],
  faulty: readonly KeyedEvent[],
  digests: Uint8Array,
): Promise<KeyedEvent[]> {
  const all = new Uint8Array(digests.length + faulty.length * digestBytes);
  all.set(digests);
  const hashOne = async (one: KeyedEvent, at: number): Promise<void> => {
    one.fingerprintAt = digests.length + at * digestBytes;
    const digest = await crypto.subtle.digest("SHA-256", one.original as Uint8Array<ArrayBuffer>);
    all.set(new Uint8Array(digest), one.fingerprintAt);
  };
  await Promise.all(faulty.map(hashOne));
  for (const one of keyed) one.digests = all;
  return keyed;
}
