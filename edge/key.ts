// Key: the hashes an event is known by, made for a whole request at once.
import type { NormalisedEvent } from "../shared/event/event.ts";
import { flag } from "../shared/event/event.ts";
import type { Hash } from "../shared/event/hash.ts";
import { eventIdIdentity } from "../shared/event/identity.ts";
import { identifierLengthMax } from "../shared/limits.ts";
import { packEvent } from "../shared/wire/packed-event.ts";
import { EventFault } from "./fault.ts";

/** One event with its hashes and its body: packed, or for a refused one the bytes as they came. */
export interface KeyedEvent {
  /** A whole digest; undefined for `arrival` until the event has its place in a batch. */
  identityHash: Uint8Array | undefined;
  /** A whole digest; undefined for the kinds that have none. */
  fingerprint: Uint8Array | undefined;
  /** Epoch ms; 0 for a refused event, which gets no id. */
  eventTime: number;
  flags: number;
  body: Uint8Array;
  fault: EventFault | undefined;
}

/** What a refused event can still be known by. */
export interface Refused {
  project: string;
  historical: boolean;
  /** The client's own id of an event, where it gave one. */
  eventId(index: number): unknown;
  /** The event's bytes as they came. */
  original(index: number): Uint8Array;
}

/** Keys a request's events in their order; one call of `hash` for all of them. */
export async function keyEvents(
  events: readonly (NormalisedEvent | EventFault)[],
  refused: Refused,
  hash: Hash,
): Promise<KeyedEvent[]> {
  const texts: string[] = [];
  const originals: Promise<[number, Uint8Array]>[] = [];
  for (const [index, event] of events.entries()) {
    if (event instanceof EventFault) {
      const eventId = knownId(refused.eventId(index));
      if (eventId !== undefined) texts.push(eventIdIdentity(refused.project, eventId));
      originals.push(digest(refused.original(index)).then((made) => [index, made]));
    } else {
      if (event.identityText !== undefined) texts.push(event.identityText);
      if (event.fingerprintText !== undefined) texts.push(event.fingerprintText);
    }
  }
  const digests = await hash(texts);
  const contents = new Map(originals.length === 0 ? [] : await Promise.all(originals));
  let at = 0;
  return events.map((event, index): KeyedEvent => {
    if (event instanceof EventFault) {
      const isKnown = knownId(refused.eventId(index)) !== undefined;
      return {
        identityHash: isKnown ? digests[at++] : undefined,
        fingerprint: contents.get(index),
        eventTime: 0,
        flags: (isKnown ? 0 : flag.weak) | (refused.historical ? flag.historical : 0),
        body: refused.original(index),
        fault: event,
      };
    }
    return {
      identityHash: event.identityText === undefined ? undefined : digests[at++],
      fingerprint: event.fingerprintText === undefined ? undefined : digests[at++],
      eventTime: event.eventTime,
      flags: event.flags,
      body: packEvent(event.fields),
      fault: undefined,
    };
  });
}

const knownId = (value: unknown): string | undefined =>
  typeof value === "string" && value.length > 0 && value.length <= identifierLengthMax ? value : undefined;

// Original bytes need not be text, so they do not go through the hash port; refusals are rare.
async function digest(bytes: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
}
