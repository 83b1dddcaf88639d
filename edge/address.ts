// Internet addresses as 16 bytes, an IPv4 one as IPv6 maps it (RFC 4291), and networks of them.

export interface Network {
  address: Uint8Array;
  /** Leading bits that count, of 128. */
  bits: number;
}

/** Reads an address, with or without a port or brackets; undefined where the text is none. */
export function readAddress(text: string): Uint8Array | undefined {
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  return bare.includes(":") ? readLong(bare.replace(/%.*$/, "")) : readShort(bare);
}

/** The address as text: an IPv4 one in four numbers, an IPv6 one in eight groups without `::`. */
export function writeAddress(address: Uint8Array): string {
  if (mapped.every((byte, at) => address[at] === byte)) return address.subarray(12).join(".");
  const groups = Array.from({ length: 8 }, (_, at) => (address[at * 2]! << 8) | address[at * 2 + 1]!);
  return groups.map((group) => group.toString(16)).join(":");
}

/** Reads `10.0.0.0/8`, `fd00::/8` or one address; undefined where the text is no network. */
export function readNetwork(text: string): Network | undefined {
  const [base = "", length, ...rest] = text.split("/");
  const address = readAddress(base);
  if (address === undefined || rest.length > 0) return undefined;
  const bitsMax = base.includes(":") ? 128 : 32;
  const bits = length === undefined ? bitsMax : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  return bits <= bitsMax ? { address, bits: bits + 128 - bitsMax } : undefined;
}

export function isWithin(network: Network, address: Uint8Array): boolean {
  const whole = network.bits >> 3;
  for (let at = 0; at < whole; at += 1) if (network.address[at] !== address[at]) return false;
  const rest = network.bits & 7;
  return rest === 0 || (network.address[whole]! ^ address[whole]!) >> (8 - rest) === 0;
}

const mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

function readShort(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256))
    return undefined;
  return Uint8Array.from([...mapped, ...parts.map(Number)]);
}

function readLong(text: string): Uint8Array | undefined {
  // The last 32 bits may be written as IPv4.
  const tail = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  const short = tail === null ? undefined : readShort(tail[2]!);
  if (tail !== null && short === undefined) return undefined;
  const [, , , , , , , , , , , , a = 0, b = 0, c = 0, d = 0] = short ?? [];
  const hex =
    tail === null ? text : `${tail[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  const halves = hex.split("::");
  if (halves.length > 2) return undefined;
  const [left, right] = halves.map((half) => (half === "" ? [] : half.split(":"))) as [string[], string[]?];
  const absent = 8 - left.length - (right?.length ?? 0);
  if (right === undefined ? absent !== 0 : absent < 1) return undefined;
  const groups = [...left, ...Array<string>(right === undefined ? 0 : absent).fill("0"), ...(right ?? [])];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return Uint8Array.from(
    groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]),
  );
}
