// A dialect: how a client's wire format becomes our event.
import type { EventFault } from "../fault.ts";

/** What one client wire format does differently from our own. */
export interface Dialect {
  readonly name: string;
  /**
   * Maps a decoded object to the native event's fields, or refuses it. Members it does not know are
   * passed on, so that they are refused as unknown, and never dropped.
   */
  toNative(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | EventFault;
  /** The client's own name of a native field, for pointers into the event as sent. */
  nameOf(field: string): string;
  /** `native` takes the first identity that applies; `window` makes one event of all within a window. */
  readonly identity: "native" | { kind: "window"; windowMs: number };
}
