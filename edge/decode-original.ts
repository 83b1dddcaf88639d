// One event's own bytes, decoded as the front door decodes a request's: JSON, or msgpack.
import { eventBytesMax } from "../shared/limits.ts";
import type { RefusalCode } from "../shared/problem.ts";
import { decode, withoutWriteKey } from "./decode.ts";
import { suspectEscape, suspectNumber } from "./decode-json.ts";
import { EventFault } from "./fault.ts";
import { unfitNumber } from "./json-places.ts";

export interface DecodedEvent {
  event: unknown;
  fault?: EventFault | undefined;
  /** False is a promise that no text holds U+0000 or a lone surrogate. */
  suspectText: boolean;
}

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Decodes what was kept of an event, whichever format it came in. Never throws. */
export function decodeOriginal(bytes: Uint8Array): DecodedEvent {
  const decoded = isMsgpackMap(bytes) ? decodeMsgpackEvent(bytes) : decodeJsonEvent(bytes);
  return { ...decoded, event: withoutWriteKey(decoded.event) };
}

/** Decodes one event that is a JSON text by itself; what is wrong with it is its fault. Never throws. */
export function decodeJsonEvent(bytes: Uint8Array): DecodedEvent {
  if (bytes.length > eventBytesMax)
    return refused("event_too_large", "", `An event holds at most ${eventBytesMax} bytes.`);
  let text: string;
  try {
    text = decoder.decode(bytes);
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

// As UTF-8 none of these bytes can begin a text.
const isMsgpackMap = ([first = 0]: Uint8Array): boolean =>
  (first >= 0x80 && first <= 0x8f) || first === 0xde || first === 0xdf;

function decodeMsgpackEvent(bytes: Uint8Array): DecodedEvent {
  const body = new Uint8Array(bytes.length + 1);
  // An array of one, since a map alone might be taken for a body with events in it.
  body[0] = 0x91;
  body.set(bytes, 1);
  try {
    const { events, faults, suspectText } = decode(body, "msgpack", 1);
    return { event: events[0], fault: faults.get(0), suspectText };
  } catch {
    return refused("event_malformed", "", "The event is no msgpack value.");
  }
}

const refused = (code: RefusalCode, pointer: string, detail: string): DecodedEvent => ({
  event: undefined,
  fault: new EventFault(code, pointer, detail),
  suspectText: false,
});
