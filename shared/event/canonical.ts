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
 */
export function canonical(value: unknown): string {
  switch (typeof value) {
    case "string":
      return text(value);
    case "number":
      return Number.isFinite(value) ? String(Object.is(value, -0) ? 0 : value) : "null";
    case "boolean":
      return value ? "true" : "false";
    case "object":
      return value === null
        ? "null"
        : Array.isArray(value)
          ? list(value)
          : members(value as Record<string, unknown>);
    default:
      return "null";
  }
}

function list(values: readonly unknown[]): string {
  let out = "[";
  for (let at = 0; at < values.length; at += 1)
    out += at === 0 ? canonical(values[at]) : `,${canonical(values[at])}`;
  return `${out}]`;
}

function members(value: Record<string, unknown>): string {
  const keys = Object.keys(value);
  if (!isSorted(keys)) keys.sort();
  let out = "";
  for (const key of keys) {
    const member = value[key];
    if (member !== undefined) out += `${out === "" ? "" : ","}${text(key)}:${canonical(member)}`;
  }
  return `{${out}}`;
}

function isSorted(keys: readonly string[]): boolean {
  for (let at = 1; at < keys.length; at += 1) if (keys[at - 1]! > keys[at]!) return false;
  return true;
}
