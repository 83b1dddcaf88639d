// The public name that stands for a write key where a client sends none: an app id, a website id or a domain.
import { WeirError } from "../../shared/problem.ts";
import type { Decoded } from "../decode.ts";
import type { Events } from "../decode-json.ts";
import { isRecord } from "../schema.ts";

/**
 * A body whose events name their project themselves, by an alias or a key. One request is one site's, so several names are
 * somebody's mistake, and counting one site's events for another would be worse than to refuse them:
 * throws `body_malformed`.
 */
export function namedBy(
  read: Events,
  nameOf: (event: Readonly<Record<string, unknown>>) => unknown,
): Decoded {
  const names = new Set<unknown>();
  for (const event of read.events) if (isRecord(event)) names.add(nameOf(event) ?? undefined);
  names.delete(undefined);
  if (names.size > 1) throw new WeirError("body_malformed", "The events are of several sites or apps.");
  const [name] = names;
  const { events, faults, suspectText, original } = read;
  const alias = typeof name === "string" ? name : undefined;
  return { events, faults, suspectText, original, sentAt: undefined, writeKey: undefined, alias };
}
