// Canonical JSON (RFC 8785), the text that identities and fingerprints are made of. ECMAScript's own
// JSON.stringify writes texts and numbers as the RFC asks, so only the order of keys is made here.

/**
 * The RFC 8785 text of a JSON value: keys sorted by UTF-16 units, numbers as ECMAScript prints them.
 * Members that are `undefined` are left out, as JSON.stringify does. A lone surrogate, which the RFC
 * leaves open, is written as its \uXXXX escape. The depth must have been bounded before.
 */
export function canonical(value: unknown): string {
  if (typeof value === "string") return needsEscape.test(value) ? JSON.stringify(value) : `"${value}"`;
  const arranged = arrange(value);
  return (arranged === unfit ? write(value) : JSON.stringify(arranged)) ?? "null";
}

// A string without any of these is its own JSON form in quotes, which spares most strings the writer.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must be escaped
const needsEscape = /[\u0000-\u001f"\\\ud800-\udfff]/;

// An object that JavaScript cannot hold in the wanted order: keys like `10` always come first, by number,
// and setting `__proto__` makes no key.
const unfit = Symbol("unfit");

// The value with the keys of all its objects in order.
function arrange(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map(arrange);
    return items.includes(unfit) ? unfit : items;
  }
  const keys = orderOf(Object.keys(value));
  const copy: Record<string, unknown> = {};
  for (let at = 0; at < keys.length; at += 1) {
    const key = keys[at]!;
    const first = key.charCodeAt(0);
    if ((first >= 0x30 && first <= 0x39) || key === "__proto__") return unfit;
    const member: unknown = value[key as keyof typeof value];
    const arranged = typeof member === "object" ? arrange(member) : member;
    if (arranged === unfit) return unfit;
    copy[key] = arranged;
  }
  return copy;
}

// The slow way, which needs no object to hold an order.
function write(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${write(member)}`);
  return `{${members.join(",")}}`;
}

interface Order {
  keys: readonly string[];
  sorted: readonly string[];
}

// Objects of one shape come again and again, so orders are kept: by first key, a few for each. At most
// 250 × 4 orders of 32 keys of 64 characters: 2 MB.
const orders = new Map<string, Order[]>();
const firstKeysMax = 250;
const ordersPerKeyMax = 4;
const keysMax = 32;
const keyLengthMax = 64;

function orderOf(keys: string[]): readonly string[] {
  const first = keys[0];
  if (first === undefined || keys.length === 1 || keys.length > keysMax) return keys.sort();
  const known = orders.get(first);
  const found = known?.find((order) => isSame(order.keys, keys));
  if (found !== undefined) return found.sorted;
  const order = { keys, sorted: keys.toSorted() };
  if (keys.some((key) => key.length > keyLengthMax)) return order.sorted;
  if (known === undefined) {
    if (orders.size >= firstKeysMax) orders.clear();
    orders.set(first, [order]);
  } else {
    if (known.length >= ordersPerKeyMax) known.shift();
    known.push(order);
  }
  return order.sorted;
}

function isSame(left: readonly string[], right: readonly string[]): boolean {
  if (left.length !== right.length) return false;
  for (let at = 0; at < left.length; at += 1) if (left[at] !== right[at]) return false;
  return true;
}
