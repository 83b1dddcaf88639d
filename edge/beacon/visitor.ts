// Who is here: the visitor's names, their session over all tabs, and what they consented to.
import type { BeaconOptions, Fields } from "./types.ts";

/** Without an event for so long a session has ended. */
const sessionIdleMs = 30 * 60_000;

/** What is kept of a visitor under one key; short names, since every event writes it. */
interface Visitor {
  /** The anonymous id. */
  a: string;
  /** The user id, once told. */
  u?: string | undefined;
  /** The session, and when it was last seen, epoch ms. */
  s?: string;
  t?: number;
  /** Where the session came from. */
  c?: Fields;
}

export let options: BeaconOptions;
export let prefix: string;
/** What the site's pages share: local storage, or an object of this page where there is none. */
export let storage: Record<string, string>;
/** Whether it outlives the page. */
export let isLasting = false;
/** Where the visitor is kept: in `storage`, until that takes no more. */
let shelf: Record<string, string>;

export function openVisitor(given: BeaconOptions): void {
  options = given;
  prefix = `weir:${given.key}:`;
  shelf = storage = {};
  attempt(() => {
    // Null in some web views, where asking anything of it throws.
    isLasting = localStorage.length >= 0;
    shelf = storage = localStorage;
  });
}

/** Runs what must never end in an error of the page. */
export function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

/** 128 random bits; unlike `randomUUID` they are there on pages without TLS, too. */
export const randomName = (): string =>
  Array.from(crypto.getRandomValues(new Uint32Array(4)), (word) => word.toString(36)).join("-");

/** What the visitor chose on this site, if anything. */
const choice = (): string | undefined => shelf[`${prefix}consent`];

/** Whether events may be recorded. A choice made here goes before what the browser says to all sites. */
export function isAllowed(): boolean {
  const { globalPrivacyControl } = navigator as { globalPrivacyControl?: boolean };
  const chosen = choice();
  return chosen
    ? chosen === "opt_in"
    : options.consent !== "required" && (!globalPrivacyControl || options.gpc === "off");
}

/** Remembers a choice. Who opts out is forgotten; what was recorded before is still delivered. */
export function choose(wanted: string): void {
  keep("consent", wanted);
  if (wanted === "opt_out") forgetVisitor();
}

export function forgetVisitor(): void {
  delete shelf[`${prefix}visitor`];
}

/** The visitor at `now`, epoch ms. Only what `renews` begins a new session when the old one has ended. */
export function visit(now: number, renews: boolean, userId?: string): Visitor {
  const visitor: Visitor = attempt(() => JSON.parse(shelf[`${prefix}visitor`]!)) ?? { a: randomName() };
  const campaign = campaignOf();
  if (!visitor.s || (renews && !(Math.abs(now - visitor.t!) < sessionIdleMs))) {
    visitor.s = randomName();
    visitor.c = campaign;
  }
  if (campaign["utm_source"]) visitor.c = campaign;
  if (userId) visitor.u = userId;
  visitor.t = now;
  keep("visitor", JSON.stringify(visitor));
  return visitor;
}

/** What is true of every event of this page. */
export function circumstances(visitor: Visitor): Fields {
  const { userAgent, language, webdriver } = navigator;
  return {
    app_version: options.version,
    browser: ["Firefox", "Edg", "OPR", "Chrome", "Safari"].find((name) => userAgent.includes(`${name}/`)),
    locale: language,
    path: location.pathname,
    webdriver: webdriver || undefined,
    // Nothing is recorded of who chose otherwise; a project may require the word.
    consent: choice() && "granted",
    ...visitor.c,
  };
}

function campaignOf(): Fields {
  const campaign: Record<string, string> = {};
  const { referrer } = document;
  if (referrer && !referrer.startsWith(`${location.origin}/`)) campaign["referrer"] = referrer;
  new URLSearchParams(location.search).forEach((value, name) => {
    if (name.startsWith("utm_")) campaign[name] = value;
  });
  return campaign;
}

// A shelf that is full would go on telling an old session.
function keep(name: string, value: string): void {
  try {
    shelf[prefix + name] = value;
  } catch {
    shelf = { ...shelf, [prefix + name]: value };
  }
}
