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
/** Local storage, where there is one and it may be used. */
export let storage: Storage | undefined;
export let prefix: string;
/** The latest values, for a page that may keep nothing. */
const kept = new Map<string, string>();

export function openVisitor(given: BeaconOptions): void {
  options = given;
  prefix = `weir:${given.key}:`;
  attempt(() => {
    storage = localStorage;
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
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte + 256).toString(16).slice(1)).join(
    "",
  );

const hasControl = (): boolean => !!(navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl;

/** Whether events may be recorded. A choice made here goes before what the browser says for all sites. */
export function isAllowed(): boolean {
  const choice = read("consent");
  return (
    choice === "opt_in" ||
    (choice !== "opt_out" && options.consent !== "required" && !(hasControl() && options.gpc !== "off"))
  );
}

/** Remembers a choice. Who leaves is forgotten; what was recorded before is still delivered. */
export function choose(choice: string): void {
  keep("consent", choice);
  if (choice === "opt_out") forgetVisitor();
}

export function forgetVisitor(): void {
  kept.delete("visitor");
  attempt(() => storage?.removeItem(`${prefix}visitor`));
}

/** The visitor at `now` (epoch ms). Only what `renews` begins a new session when the old one has ended. */
export function visit(now: number, renews: boolean): Visitor {
  const visitor: Visitor = attempt(() => JSON.parse(read("visitor")!)) ?? { a: randomName() };
  const campaign = campaignOf();
  const isOver = !(Math.abs(now - visitor.t!) < sessionIdleMs);
  if (!visitor.s || (renews && isOver)) {
    visitor.s = randomName();
    visitor.c = campaign;
  } else if (campaign["utm_source"]) visitor.c = campaign;
  visitor.t = now;
  return keepVisitor(visitor);
}

/** Gives the visitor a user id. */
export function nameVisitor(userId: string): void {
  keepVisitor({ ...visit(Date.now(), true), u: userId });
}

/** What is true of every event of this page. */
export function circumstances(visitor: Visitor): Fields {
  const { userAgent, language, webdriver } = navigator;
  return {
    app_version: options.version,
    browser: ["Firefox", "Edg", "OPR", "Chrome", "Safari"].find((name) => userAgent.includes(`${name}/`)),
    locale: language,
    path: location.pathname,
    screen: `${screen.width}x${screen.height}`,
    webdriver: webdriver || undefined,
    gpc: hasControl() || undefined,
    ...visitor.c,
  };
}

function campaignOf(): Fields {
  const campaign: Record<string, string> = {};
  const { referrer } = document;
  if (referrer && !referrer.startsWith(location.origin)) campaign["referrer"] = referrer;
  new URLSearchParams(location.search).forEach((value, name) => {
    if (name.startsWith("utm_")) campaign[name] = value.slice(0, 200);
  });
  return campaign;
}

function keepVisitor(visitor: Visitor): Visitor {
  keep("visitor", JSON.stringify(visitor));
  return visitor;
}

const read = (name: string): string | undefined =>
  attempt(() => storage?.getItem(prefix + name)) ?? kept.get(name);

function keep(name: string, value: string): void {
  kept.set(name, value);
  attempt(() => storage?.setItem(prefix + name, value));
}
