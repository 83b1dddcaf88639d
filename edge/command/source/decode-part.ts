// Decodes the events of a part as the front door decodes a request's, each from its own bytes.
import { eventBytesMax } from "../../../shared/limits.ts";
import type { RefusalCode } from "../../../shared/problem.ts";
import { type Decoded, suspectEscape, suspectNumber } from "../../decode.ts";
import { EventFault } from "../../fault.ts";
import { unfitNumber } from "../../json-places.ts";
import type { SourceEvent } from "./source-event.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

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

interface ReadEvent {
  event: unknown;
  fault?: EventFault;
  suspectText: boolean;
}

function readEvent(source: SourceEvent): ReadEvent {
  if (source.refusal !== undefined)
    return refused(source.refusal.code, source.refusal.pointer, source.refusal.detail);
  if (source.bytes.length > eventBytesMax)
    return refused("event_too_large", "", `An event holds at most ${eventBytesMax} bytes.`);
  let text: string;
  try {
    text = decoder.decode(source.bytes);
  } catch {
    return refused("event_malformed", "", "The event is no UTF-8.");
  }
  try {
    const event: unknown = JSON.parse(text);
    const pointer = suspectNumber.test(text) ? unfitNumber(text, 0, text.length) : undefined;
    if (pointer === undefined) return { event, suspectText: suspectEscape.test(text) };
    return refused(
      "number_not_representable",
      pointer,
      "The number does not survive a double; write it as text.",
    );
  } catch {
    return refused("event_malformed", "", "The event is no JSON.");
  }
}

const refused = (code: RefusalCode, pointer: string, detail: string): ReadEvent => ({
  event: undefined,
  fault: new EventFault(code, pointer, detail),
  suspectText: false,
});
