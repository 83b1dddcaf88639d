// A dialect: how one event in a client's wire format becomes our event.
import type { EventFault } from "../fault.ts";

/** What one client wire format does differently from our own. Everything in it is pure. */
export interface Dialect {
  readonly name: string;
  /**
   * Maps a decoded object to the native event's fields, or refuses it. What has no field of ours goes into
   * payload, context or metadata, or is passed on, so that it is refused as unknown; nothing is dropped.
   * What differs between two copies of one event (attempt counters, times of sending) is left out.
   */
  toNative(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | EventFault;
  /**
   * The client's own name of a native field, for pointers into the event as sent; may be a path, `a/b`.
   * `value` is that event, where it is known.
   */
  nameOf(field: string, value?: Readonly<Record<string, unknown>>): string;
  /** `native` takes the first identity that applies; `window` makes one event of all within a window. */
  readonly identity: "native" | { kind: "window"; windowMs: number };
  /** The client's own id, equal to `event_id` of what `toNative` makes; the member of that name without it. */
  eventIdOf?(value: Readonly<Record<string, unknown>>): unknown;
  /** For events without a time: how many ms before its arrival it happened, as its client counts them. */
  ageMsOf?(value: Readonly<Record<string, unknown>>): number | undefined;
  /**
   * Native fields that the client fills in anew whenever it sends an event again, so that its copies may
   * differ in them; they are left out of the fingerprint.
   */
  readonly unsettled?: readonly ("user_id" | "anonymous_id")[];
  /**
   * For formats with values inside texts, whose bytes do not tell what an event holds: the same event with
   * those values open, as far as they can be read. `toNative` takes it too, and makes the same of it.
   */
  opened?(value: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;
}
