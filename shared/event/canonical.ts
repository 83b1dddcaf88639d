// Canonical JSON (RFC 8785), the text that identities and fingerprints are made of.

// A string whose JSON form is itself in quotes; anything else goes through JSON.stringify.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must be escaped
const needsEscape = /[\u0000-\u001f"\\\ud800-\udfff]/;

function text(value: string): string {
  return needsEscape.test(value) ? JSON.stringify(value) : `"${value}"`;
}

/**
 * The RFC 8785 text of a JSON value: keys sorted by UTF-16 units, numbers as ECMAScript prints them.
 * Members that are `undefined` are left out, as JSON.stringify does. A lone surrogate, which the RFC
 * leaves open, is written as its \uXXXX escape. The depth must have been bounded before.
 *
 * `isPlain` promises that no key and no string needs an escape, as is certain where the value was read
 * from a JSON text without a backslash; it saves the look at every one of them.
 */
export function canonical(value: unknown, isPlain = false): string {
  switch (typeof value) {
    case "string":
      return isPlain ? `"${value}"` : text(value);
    case "number":
      return Number.isFinite(value) ? String(value) : "null";
    case "boolean":
      return value ? "true" : "false";
    case "object":
      return value === null
        ? "null"
        : Array.isArray(value)
          ? list(value, isPlain)
          : members(value as Record<string, unknown>, isPlain);
    default:
      return "null";
  }
}

function list(values: readonly unknown[], isPlain: boolean): string {
  let out = "[";
  for (let at = 0; at < values.length; at += 1) {
    const item = canonical(values[at], isPlain);
    out += at === 0 ? item : `,${item}`;
  }
  return `${out}]`;
}

function members(value: Record<string, unknown>, isPlain: boolean): string {
  const keys = sorted(Object.keys(value));
  let out = "{";
  for (let at = 0; at < keys.length; at += 1) {
    const key = keys[at]!;
    const member = value[key];
    if (member === undefined) continue;
    const name = isPlain ? `"${key}":` : `${text(key)}:`;
    out += out === "{" ? name + canonical(member, isPlain) : `,${name}${canonical(member, isPlain)}`;
  }
  return `${out}}`;
}

// Insertion is faster than a general sort for the few keys that objects have, and quadratic for many.
function sorted(keys: string[]): string[] {
  if (keys.length > 24) return keys.sort();
  for (let at = 1; at < keys.length; at += 1) {
    const key = keys[at]!;
    let to = at;
    for (; to > 0 && keys[to - 1]! > key; to -= 1) keys[to] = keys[to - 1]!;
    keys[to] = key;
  }
  return keys;
}
