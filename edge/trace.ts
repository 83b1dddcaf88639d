// What names a request on its way through: X-Request-ID and the W3C trace context.
import type { Clock } from "../shared/clock.ts";
import { toHex } from "../shared/event/bytes.ts";

/** The client's request id where it is short and plain enough to be stored and logged, else a new one. */
export function requestIdOf(header: string | null, clock: Clock): string {
  return header !== null && /^[A-Za-z0-9._:/+=@-]{1,128}$/.test(header) ? header : toHex(clock.random(16));
}

/** A `traceparent` header (https://www.w3.org/TR/trace-context/) that is sound, else undefined. */
export function traceparentOf(header: string | null): string | undefined {
  const found = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/.exec(header ?? "");
  if (found === null || found[1] === "ff" || /^0+$/.test(found[2]!) || /^0+$/.test(found[3]!))
    return undefined;
  return found[0];
}
