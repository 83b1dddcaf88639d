// Whose word is taken for a client's address and place: that of the proxies which a setting names, nobody else's.
import { ConfigError } from "../shared/config.ts";
import { isWithin, type Network, readAddress, readNetwork, writeAddress } from "./address.ts";
import type { ClientFacts } from "./client.ts";
import { readAgent } from "./device.ts";

/** What is known of a request's client; `sender` is the address that the connection came from. */
export type ReadClient = (headers: Headers, sender: string | undefined) => ClientFacts;

interface Platform {
  ip: string;
  country?: string;
  city?: string;
}

// Headers that a platform sets itself, whatever the client sent under their names.
const platforms: Readonly<Record<string, Platform>> = {
  cloudflare: { ip: "cf-connecting-ip", country: "cf-ipcountry", city: "cf-ipcity" },
  vercel: { ip: "x-real-ip", country: "x-vercel-ip-country", city: "x-vercel-ip-city" },
  fly: { ip: "fly-client-ip" },
  cloudfront: {
    ip: "cloudfront-viewer-address",
    country: "cloudfront-viewer-country",
    city: "cloudfront-viewer-city",
  },
};

interface Trust {
  /** How many proxies each add the address they see to X-Forwarded-For. */
  hops: number;
  networks: Network[];
  platforms: Platform[];
}

const placeLengthMax = 256;

/**
 * Reads `WEIR_TRUSTED_PROXIES`: a count of proxies, networks, and names of platforms, comma-separated. Where
 * networks are named, count and platforms hold only for what comes from within them. Throws a ConfigError.
 */
export function clientReader(setting = ""): ReadClient {
  const trust = readTrust(setting);
  return (headers, sender) => {
    const from = sender === undefined ? undefined : readAddress(sender);
    const isTrusted = trust.networks.length === 0 || (from !== undefined && isNear(trust, from));
    const platform = isTrusted ? trust.platforms.find(({ ip }) => headers.has(ip)) : undefined;
    const told = platform === undefined ? undefined : readAddress(headers.get(platform.ip) ?? "");
    const address = told ?? (isTrusted ? forwarded(headers, trust) : undefined) ?? from;
    return {
      ip: address === undefined ? undefined : writeAddress(address),
      country: country(said(headers, platform?.country)),
      city: place(said(headers, platform?.city)),
      protocol: isTrusted && isAny(trust) ? protocolOf(headers, trust) : undefined,
      ...readAgent(headers.get("user-agent")),
    };
  };
}

function readTrust(setting: string): Trust {
  const trust: Trust = { hops: 0, networks: [], platforms: [] };
  for (const word of setting.split(",").map((part) => part.trim())) {
    const network = /^\d+$/.test(word) ? undefined : readNetwork(word);
    if (word === "") continue;
    else if (/^\d{1,2}$/.test(word)) trust.hops = Number(word);
    else if (Object.hasOwn(platforms, word)) trust.platforms.push(platforms[word]!);
    else if (network !== undefined) trust.networks.push(network);
    else throw new ConfigError([`WEIR_TRUSTED_PROXIES: "${word}" is no count, network or platform`]);
  }
  return trust;
}

const isAny = ({ hops, networks, platforms }: Trust): boolean =>
  hops > 0 || networks.length > 0 || platforms.length > 0;

function protocolOf(headers: Headers, { hops }: Trust): "http" | "https" | undefined {
  const list = (headers.get("x-forwarded-proto") ?? "").split(",").map((part) => part.trim().toLowerCase());
  const told = list.at(-Math.min(Math.max(hops, 1), list.length));
  return told === "http" || told === "https" ? told : undefined;
}

const said = (headers: Headers, name: string | undefined): string | null =>
  name === undefined ? null : headers.get(name);

const isNear = ({ networks }: Trust, address: Uint8Array): boolean =>
  networks.some((network) => isWithin(network, address));

// Each proxy appends whom it heard from, so the list is true from its end on: as far as the count goes, or
// up to the first address that is none of ours. What stands before that the client may have made up.
function forwarded(headers: Headers, trust: Trust): Uint8Array | undefined {
  if (trust.hops === 0 && trust.networks.length === 0) return undefined;
  const list = (headers.get("x-forwarded-for") ?? "").split(",").map((part) => readAddress(part.trim()));
  if (trust.hops > 0) return list.at(-Math.min(trust.hops, list.length));
  const other = list.findLastIndex((address) => address === undefined || !isNear(trust, address));
  return list[Math.max(0, other)];
}

/** ISO 3166-1 alpha-2, or nothing: some send XX for unknown, and names of their own such as T1. */
const country = (text: string | null): string | undefined =>
  text !== null && /^[A-Z]{2}$/.test(text) && text !== "XX" ? text : undefined;

function place(text: string | null): string | undefined {
  if (text === null || text === "" || text.length > placeLengthMax) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
