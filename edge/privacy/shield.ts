// Shield: what a project's policy does to the events of one request, between their identity and their storing.
import { type Policy, policyShape } from "../../shared/event/policy.ts";
import type { ClientFacts } from "../client.ts";
import { EventFault } from "../fault.ts";
import type { Written } from "../fields.ts";
import { isRecord, type NativeEvent } from "../schema.ts";
import { type ClientContext, createClientContext } from "./client-context.ts";
import { type Forbidden, findForbidden, type Redaction, redact } from "./redact.ts";
import { type Rules, rulesOf } from "./rules.ts";
import { findContent, isSuspect, maskText } from "./scan.ts";

export interface Shield {
  readonly rules: Rules;
  readonly client: ClientContext;
  /** What becomes of an event that does not say itself that its person consented; undefined where it need not. */
  readonly unconsented: EventFault | undefined;
  readonly isBot: boolean;
  /** The redaction of an event by whom these are; ids that are pseudonyms already stay on their way back in. */
  redactionFor(ids: readonly unknown[], idNames: ReadonlySet<string>): Redaction;
}

/** What is known of a request, or of an event that comes back without one. */
export interface ShieldGround {
  /** What the adapter knows; undefined where an event came by no request, and its own word is all there is. */
  client: ClientFacts | undefined;
  /** The key's holder may say where its events' clients are. */
  mayState: boolean;
  /** Consent is asked for before the key's clients send anything. */
  consentTaken?: boolean;
  /** The request says Sec-GPC: 1 or DNT: 1. */
  optsOut: boolean;
  /** The event was kept here, so that a pseudonym in it is one, and its consent was weighed when it came. */
  isBack?: boolean;
}

/** Of a project whose policy nobody has told: bodies are believed, and only the IP address is not kept. */
const untold: Policy = policyShape.parse({ takes_client_context: true, gpc: "ignore" });

/** Undefined where there is nothing to do at all, so that such requests pay nothing. */
export function createShield(policy: Policy | undefined, ground: ShieldGround): Shield | undefined {
  const { client, isBack = false } = ground;
  if (policy === undefined && (client === undefined || Object.keys(client).length === 0)) return undefined;
  const rules = rulesOf(policy ?? untold);
  const { takes_client_context: taken, ip } = rules.policy;
  const mayState = client === undefined || taken || ground.mayState;
  return {
    rules,
    client: createClientContext(client ?? {}, ip, mayState),
    unconsented: unconsentedOf(rules.policy, ground),
    isBot: client?.isBot === true,
    redactionFor(ids, idNames) {
      const pseudonyms = new Map<string, string>();
      for (const id of ids) {
        if (typeof id !== "string" && typeof id !== "number") continue;
        const text = String(id);
        if (isBack && rules.isPseudonym(text)) continue;
        if (rules.pseudonym !== undefined && text !== "") pseudonyms.set(text, rules.pseudonym(text));
      }
      return { denied: rules.denied, pseudonyms, idNames, masked: rules.masked };
    },
  };
}

// GPC is a wish to all sites, which a choice made at this one outweighs; what is said of a whole key is no choice.
function unconsentedOf({ gpc, consent }: Policy, ground: ShieldGround): EventFault | undefined {
  if (ground.optsOut && gpc === "honour") return optedOut;
  const isTaken = ground.consentTaken === true || ground.isBack === true;
  return consent === "required" && !isTaken ? unconsented : undefined;
}

/** Whether an event of this context was consented to by whom it is of, as far as it says so itself. */
export const isConsented = (context: unknown): boolean =>
  isRecord(context) && context["consent"] === "granted";

/** The members of an event that name a person. */
export const personNames: ReadonlySet<string> = new Set(["user_id", "anonymous_id"]);

/** What is stored of an event, or why it is refused. `isRedacted`: content of it was left out or masked. */
export interface Shielded {
  event: NativeEvent;
  isRedacted: boolean;
}

/**
 * Does to an event what the policy asks; the event itself comes back where that is nothing. `written` are its
 * objects as JSON, by which is seen at once that most events hold nothing of what is looked for.
 */
export function shield(event: NativeEvent, written: Written, by: Shield): Shielded | EventFault {
  const { rules, client } = by;
  if (by.unconsented !== undefined && !isConsented(event.context)) return by.unconsented;
  const isLooked = rules.looksInside ? look(event, written, by) : { event, isRedacted: false };
  if (isLooked instanceof EventFault) return isLooked;
  const { context } = isLooked.event;
  const kept = context && client.of(context);
  if (kept === context) return isLooked;
  return { ...isLooked, event: { ...isLooked.event, context: kept } as NativeEvent };
}

function look(event: NativeEvent, written: Written, by: Shield): Shielded | EventFault {
  const { rules } = by;
  const texts = [written.payload, written.context, written.metadata];
  const redaction = by.redactionFor([event.user_id, event.anonymous_id], personNames);
  const content = { payload: event.payload, context: event.context, metadata: event.metadata };
  const clean = texts.some((text) => mayHold(text, redaction, rules))
    ? (redact(content, redaction) as typeof content)
    : content;
  const person = (id: string | null | undefined) => (id && redaction.pseudonyms.get(id)) || id;
  // A client may name a stream or a session after its person.
  const ids = Object.fromEntries(idNames.map((name) => [name, person(event[name])]));
  const named = { ...event, ...clean, ...ids } as NativeEvent;
  const found = forbiddenIn(named, texts, rules);
  if (found !== undefined) {
    return new EventFault("content_forbidden", found.pointer, `The project takes no ${words[found.kind]}.`);
  }
  const masked = rules.masked.length === 0 ? named : withoutContent(named, rules);
  return { event: masked, isRedacted: clean !== content || masked !== named };
}

const words = { email: "e-mail addresses", phone: "phone numbers", card: "card numbers" } as const;

function mayHold(text: string, { pseudonyms, masked }: Redaction, { deniedIn }: Rules): boolean {
  if (deniedIn?.test(text)) return true;
  for (const id of pseudonyms.keys()) if (text.includes(JSON.stringify(id).slice(1, -1))) return true;
  return masked.length > 0 && isSuspect(text);
}

function forbiddenIn(
  event: NativeEvent,
  texts: readonly string[],
  { forbidden }: Rules,
): Forbidden | undefined {
  if (forbidden.length === 0) return undefined;
  if (texts.some(isSuspect)) return findForbidden(event, forbidden);
  const { payload: _, context: _1, metadata: _2, ...scalars } = event;
  return findForbidden(scalars, forbidden);
}

const idNames = ["user_id", "anonymous_id", "session_id", "stream_id", "aggregate_id"] as const;

// Masked, many ids would become one, and their people one person; so an id that holds such content is left
// out. What only names an event is masked.
function withoutContent(event: NativeEvent, { masked }: Rules): NativeEvent {
  const held = idNames.filter((name) => findContent(event[name] ?? "", masked).length > 0);
  const type = maskText(event.type, masked);
  const eventId = event.event_id && maskText(event.event_id, masked);
  if (held.length === 0 && type === event.type && eventId === event.event_id) return event;
  const left = Object.fromEntries(held.map((name) => [name, null]));
  return { ...event, ...left, type, event_id: eventId };
}

const optedOut = new EventFault(
  "consent_missing",
  "",
  "The request says that nothing may be kept of its sender, and the event does not say that they consented here.",
);
const unconsented = new EventFault(
  "consent_missing",
  "/context/consent",
  'The project takes only events whose context says `"consent": "granted"`.',
);
