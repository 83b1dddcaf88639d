// Why one event is refused: a value that travels with it, never an exception.
import type { RefusalCode } from "../shared/problem.ts";
import { escapePointer } from "./number.ts";

/** What an event is known by that is refused after its identity was made. */
export interface KnownEvent {
  identityText: string | undefined;
  fingerprintText: string | undefined;
  flags: number;
}

/** A class only so that a fault can be told from an event, which may have any members at all. */
export class EventFault {
  readonly code: RefusalCode;
  /** RFC 6901, into the event as sent; "" is the event itself. */
  readonly pointer: string;
  readonly detail: string;
  readonly known: KnownEvent | undefined;
  constructor(code: RefusalCode, pointer: string, detail: string, known?: KnownEvent) {
    this.code = code;
    this.pointer = pointer;
    this.detail = detail;
    this.known = known;
  }

  /** The same fault of another place. */
  at(pointer: string): EventFault {
    return new EventFault(this.code, pointer, this.detail, this.known);
  }
}

/** A member of the event that no field is called. */
export const unknownField = (name: string): EventFault =>
  new EventFault(
    "unknown_field",
    `/${escapePointer(name)}`,
    "An event has no such field; put it into payload, context or metadata.",
  );
