// What is kept of a client that only its request shows: where it is, on what device, at which address.
import type { Policy } from "../../shared/event/policy.ts";
import { identifierLengthMax } from "../../shared/limits.ts";
import type { ClientFacts } from "../client.ts";
import { storableText } from "../text.ts";

type Context = Readonly<Record<string, unknown>>;

/** Facts for one event: the columns, and the members they are in its context, as JSON text without braces. */
export interface Described {
  country: string | null;
  city: string | null;
  device: string | null;
  members: string;
}

const placeNames = ["city", "country", "ip"];
const deviceNames = ["device"];
const clientNames = [...deviceNames, ...placeNames];

/** An event's context, and what its request adds to it. */
export interface ClientContext {
  /** The context as far as the body's word on its client counts; itself where nothing had to go. */
  of(context: Context): Context;
  /** What the request's own facts add to an event of this context. */
  facts(context: Context | null | undefined): Described;
}

/** `mayState`: a body's word on its client counts, and the request's facts fill in only what it leaves open. */
export function createClientContext(
  client: ClientFacts,
  ipKept: Policy["ip"],
  mayState: boolean,
): ClientContext {
  const place = {
    city: textOf(client.city),
    country: textOf(client.country),
    ip: client.ip === undefined ? null : keptAddress(client.ip, ipKept),
  };
  const device = { device: textOf(client.device) };
  const none = describe({});
  const all = describe({ ...place, ...device });
  const [places, devices] = [describe(place), describe(device)];
  return {
    of(context) {
      if (!mayState) return hasAny(context, clientNames) ? withoutClient(context) : context;
      const ip = context["ip"];
      if (ip === undefined || ipKept === "keep") return context;
      const kept = typeof ip === "string" ? keptAddress(ip, ipKept) : null;
      const { ip: _, ...rest } = context;
      return kept === null ? rest : { ...rest, ip: kept };
    },
    facts(context) {
      if (context === null || context === undefined || !mayState) return all;
      // Half of a place from here and half from there would be no place at all.
      const isPlaced = hasAny(context, placeNames);
      if (hasAny(context, deviceNames)) return isPlaced ? none : places;
      return isPlaced ? devices : all;
    },
  };
}

/** What a policy keeps of an address: nothing, its network (/24, /48), or all; null for what is none. */
export function keptAddress(text: string, kept: Policy["ip"]): string | null {
  if (kept === "drop") return null;
  const [, v4] = /^(?:::ffff:)?(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(text.trim()) ?? [];
  if (v4 !== undefined) {
    const parts = v4.split(".");
    if (parts.some((part) => Number(part) > 255)) return null;
    return kept === "keep" ? v4 : `${parts.slice(0, 3).join(".")}.0`;
  }
  const groups = groupsOf(text.trim().replace(/%.*$/s, ""));
  if (groups === undefined) return null;
  if (kept === "keep") return text.trim().replace(/%.*$/s, "").toLowerCase();
  return `${groups
    .slice(0, 3)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::`;
}

// The eight groups of an IPv6 address (RFC 4291); one written with a dotted end is not taken apart.
function groupsOf(text: string): string[] | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array<string>(missing).fill("0"), ...tail];
  return groups.every((group) => /^[\da-f]{1,4}$/i.test(group)) ? groups : undefined;
}

function describe(facts: Readonly<Record<string, string | null>>): Described {
  const known = Object.entries(facts).filter(([, value]) => value !== null);
  return {
    country: facts["country"] ?? null,
    city: facts["city"] ?? null,
    device: facts["device"] ?? null,
    members: known.map(([name, value]) => `"${name}":${JSON.stringify(value)}`).join(","),
  };
}

function withoutClient(context: Context): Context {
  const { city: _, country: _1, device: _2, ip: _3, ...rest } = context;
  return rest;
}

function hasAny(context: Context, names: readonly string[]): boolean {
  for (const name of names) if (context[name] !== undefined && context[name] !== null) return true;
  return false;
}

const textOf = (text: string | undefined): string | null =>
  text === undefined || text === "" ? null : storableText(text.slice(0, identifierLengthMax));
