// Redact: an event's values without what a project keeps none of. The same value comes back where nothing changed.
import type { ContentKind } from "../../shared/event/policy.ts";
import { escapePointer } from "../number.ts";
import { findContent, isCardNumber, isPhoneUnder, maskText } from "./scan.ts";

/** What is done with values, at any depth. */
export interface Redaction {
  /** Lower-case names of members that are left out. */
  denied: ReadonlySet<string>;
  /** Ids and what stands in their place. */
  pseudonyms: ReadonlyMap<string, string>;
  /** Names under which an id is one however short it is. */
  idNames: ReadonlySet<string>;
  /** Kinds of content that are masked; with none texts stay as they are. */
  masked: readonly ContentKind[];
}

/** Below this an id is as likely to be something else that is written alike. */
const idLengthMin = 4;
/** Deeper than any event that passes; what was refused for its depth is cut there. */
const depthMax = 64;

/** The value with the redaction done to it. */
export function redact(value: unknown, redaction: Redaction): unknown {
  return redactAt(value, "", redaction, 0);
}

function redactAt(value: unknown, name: string, redaction: Redaction, depth: number): unknown {
  if (typeof value === "string") return redactText(value, name, redaction);
  if (typeof value === "number") return redactNumber(value, name, redaction);
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
  if (depth === depthMax) return "[cut]";
  if (Array.isArray(value)) {
    const items = value.map((item) => redactAt(item, name, redaction, depth + 1));
    return items.every((item, at) => item === value[at]) ? value : items;
  }
  return redactMembers(value as Readonly<Record<string, unknown>>, redaction, depth);
}

function redactMembers(
  value: Readonly<Record<string, unknown>>,
  redaction: Redaction,
  depth: number,
): unknown {
  const members: [string, unknown][] = [];
  let isSame = true;
  for (const [name, member] of Object.entries(value)) {
    if (redaction.denied.size > 0 && redaction.denied.has(name.toLowerCase())) {
      isSame = false;
      continue;
    }
    const key = redactName(name, redaction);
    const clean = redactAt(member, name, redaction, depth + 1);
    if (key !== name || clean !== member) isSame = false;
    members.push([key, clean]);
  }
  return isSame ? value : Object.fromEntries(numbered(members));
}

// Names that became equal are told apart, for a member that vanished would be a loss.
function numbered(members: readonly [string, unknown][]): [string, unknown][] {
  const taken = new Set<string>();
  const counts = new Map<string, number>();
  return members.map(([name, member]) => {
    let free = name;
    while (taken.has(free)) {
      const count = (counts.get(name) ?? 1) + 1;
      counts.set(name, count);
      free = `${name} ${count}`;
    }
    taken.add(free);
    return [free, member];
  });
}

function redactName(name: string, { pseudonyms, masked }: Redaction): string {
  const pseudonym = name.length >= idLengthMin ? pseudonyms.get(name) : undefined;
  return pseudonym ?? (masked.length === 0 ? name : maskText(name, masked));
}

function redactText(text: string, name: string, { pseudonyms, idNames, masked }: Redaction): string {
  const pseudonym = text.length >= idLengthMin || idNames.has(name) ? pseudonyms.get(text) : undefined;
  if (pseudonym !== undefined) return pseudonym;
  if (masked.length === 0) return text;
  return masked.includes("phone") && isPhoneUnder(name, text) ? "[phone]" : maskText(text, masked);
}

function redactNumber(value: number, name: string, { pseudonyms, idNames, masked }: Redaction): unknown {
  if (idNames.has(name)) return pseudonyms.get(String(value)) ?? value;
  if (masked.includes("card") && isCardNumber(name, value)) return "[card]";
  return masked.includes("phone") && isPhoneUnder(name, String(value)) ? "[phone]" : value;
}

/** Content that a project does not take, and where it is. */
export interface Forbidden {
  kind: ContentKind;
  /** JSON pointer (RFC 6901) from the value looked into; a name that holds such content is masked in it. */
  pointer: string;
}

/** The first content of these kinds in a value's texts, names and numbers; undefined where there is none. */
export function findForbidden(
  value: unknown,
  kinds: readonly ContentKind[],
  name = "",
): Forbidden | undefined {
  if (typeof value === "string" || typeof value === "number") {
    const kind = kindOf(value, name, kinds);
    return kind && { kind, pointer: "" };
  }
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, member] of Object.entries(value)) {
    const kind = findContent(key, kinds)[0]?.kind;
    const found = kind
      ? { kind, pointer: "" }
      : findForbidden(member, kinds, Array.isArray(value) ? name : key);
    if (found === undefined) continue;
    return { kind: found.kind, pointer: `/${escapePointer(maskText(key, kinds))}${found.pointer}` };
  }
  return undefined;
}

function kindOf(
  value: string | number,
  name: string,
  kinds: readonly ContentKind[],
): ContentKind | undefined {
  if (kinds.includes("phone") && isPhoneUnder(name, String(value))) return "phone";
  if (typeof value === "string") return findContent(value, kinds)[0]?.kind;
  return kinds.includes("card") && isCardNumber(name, value) ? "card" : undefined;
}
