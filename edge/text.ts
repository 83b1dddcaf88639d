// Text that PostgreSQL cannot hold: U+0000 and lone surrogates are stored as U+FFFD. Identity and
// fingerprint are taken over the text as it was sent.

/** A text with U+FFFD in the place of each U+0000 and each lone surrogate. */
export const storableText = (text: string): string => text.toWellFormed().replaceAll("\0", "\ufffd");

/**
 * A JSON value with every key and text made storable; the value itself where nothing had to be. The
 * nesting must have been bounded before. Of keys that become equal the last one stays.
 */
export function storable(value: unknown): unknown {
  if (typeof value === "string") return storableText(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map(storable);
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  const members = Object.entries(value);
  const clean = members.map(([key, member]): [string, unknown] => [storableText(key), storable(member)]);
  const isSame = clean.every(([key, member], at) => key === members[at]![0] && member === members[at]![1]);
  // Defines its members, so that `__proto__` stays an ordinary key.
  return isSame ? value : Object.fromEntries(clean);
}
