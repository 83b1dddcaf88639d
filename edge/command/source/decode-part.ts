// Decodes the events of a part as the front door decodes a request's, each from its own bytes.
import type { Decoded } from "../../decode.ts";
import { type DecodedEvent, decodeJsonEvent } from "../../decode-original.ts";
import { EventFault } from "../../fault.ts";
import type { SourceEvent } from "./source-event.ts";

/** One broken event never hurts another: not by its bytes, its numbers or its length. */
export function decodePart(sources: readonly SourceEvent[]): Decoded {
  const events: unknown[] = [];
  const faults = new Map<number, EventFault>();
  let suspectText = false;
  for (const [index, source] of sources.entries()) {
    const read = readEvent(source);
    events.push(read.event);
    if (read.fault !== undefined) faults.set(index, read.fault);
    suspectText ||= read.suspectText;
  }
  return {
    events,
    faults,
    suspectText,
    original: (index) => sources[index]!.bytes,
    sentAt: undefined,
    writeKey: undefined,
  };
}

function readEvent({ bytes, refusal }: SourceEvent): DecodedEvent {
  if (refusal === undefined) return decodeJsonEvent(bytes);
  const fault = new EventFault(refusal.code, refusal.pointer, refusal.detail);
  return { event: undefined, fault, suspectText: false };
}
