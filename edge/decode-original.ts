// One event's own bytes, as they were kept, decoded as they were when they came: JSON, or msgpack.
import { decodePart } from "./command/source/decode-part.ts";
import { decode } from "./decode.ts";
import { EventFault } from "./fault.ts";
import { isRecord } from "./schema.ts";

export interface DecodedOriginal {
  event: unknown;
  fault: EventFault | undefined;
  /** False is a promise that no text holds U+0000 or a lone surrogate. */
  suspectText: boolean;
}

/** Never throws: bytes that hold no event are a fault of it. */
export function decodeOriginal(bytes: Uint8Array): DecodedOriginal {
  const { events, faults, suspectText } = isMsgpackMap(bytes) ? fromMsgpack(bytes) : decodePart([{ bytes }]);
  return { event: withoutWriteKey(events[0]), fault: faults.get(0), suspectText };
}

// As UTF-8 none of these bytes can begin a text.
const isMsgpackMap = ([first = 0]: Uint8Array): boolean =>
  (first >= 0x80 && first <= 0x8f) || first === 0xde || first === 0xdf;

function fromMsgpack(bytes: Uint8Array): ReturnType<typeof decodePart> {
  const body = new Uint8Array(bytes.length + 1);
  // An array of one, since a map alone might be taken for a body with events in it.
  body[0] = 0x91;
  body.set(bytes, 1);
  try {
    return decode(body, "msgpack", 1);
  } catch (error) {
    const detail = error instanceof Error ? error.message : "The event cannot be read.";
    const faults = new Map([[0, new EventFault("event_malformed", "", detail)]]);
    return { ...decodePart([{ bytes }]), faults };
  }
}

// Of a body that was one event its key stood among the event's own members.
function withoutWriteKey(event: unknown): unknown {
  if (!isRecord(event) || !Object.hasOwn(event, "write_key")) return event;
  const { write_key: _, ...rest } = event;
  return rest;
}
