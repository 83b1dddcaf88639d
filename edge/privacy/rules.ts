// Rules: a project's policy made ready for events, once for all its requests.
import type { ContentKind, Policy } from "../../shared/event/policy.ts";
import { createPseudonym, isPseudonym } from "../../shared/event/pseudonym.ts";

export interface Rules {
  policy: Policy;
  /** Lower-case names of members that are left out, and what a JSON text has in it that may hold one. */
  denied: ReadonlySet<string>;
  deniedIn: RegExp | undefined;
  /** An id as it is stored; undefined where ids stay as they are. */
  pseudonym: ((id: string) => string) | undefined;
  isPseudonym(text: string): boolean;
  /** Kinds of content that are masked, and that an event is refused for. */
  masked: readonly ContentKind[];
  forbidden: readonly ContentKind[];
  /** Whether any of the above asks for a look at an event's content. */
  looksInside: boolean;
}

const made = new WeakMap<Policy, Rules>();

/** The rules of a policy; the same object has the same ones. */
export function rulesOf(policy: Policy): Rules {
  const known = made.get(policy);
  if (known !== undefined) return known;
  const { scan, pseudonym_keys: keys } = policy;
  const [newest] = keys;
  const denied = new Set(policy.denied_properties.map((name) => name.toLowerCase()));
  const rules: Rules = {
    policy,
    denied,
    deniedIn: denied.size === 0 ? undefined : new RegExp([...denied].map(patternOf).join("|"), "i"),
    pseudonym: newest === undefined ? undefined : remembered(createPseudonym(newest)),
    isPseudonym: (text) => isPseudonym(text, keys),
    masked: scan.action === "mask" ? scan.kinds : [],
    forbidden: scan.action === "quarantine" ? scan.kinds : [],
    looksInside: denied.size > 0 || newest !== undefined || scan.action !== "off",
  };
  made.set(policy, rules);
  return rules;
}

// As JSON writes it; case is passed over by the pattern, as far as it knows letters of every alphabet.
const patternOf = (name: string): string =>
  /^[\w$ .-]+$/.test(name) ? `"${name.replace(/[$.]/g, "\\$&")}"` : '"';

/** Pseudonyms kept at hand: 10,000 × some 300 bytes = 3 MB a project that asks for them. */
const rememberedMax = 10_000;

// The same few people send most events of a moment, and a code costs some 5 µs.
function remembered(make: (id: string) => string): (id: string) => string {
  const known = new Map<string, string>();
  return (id) => {
    const found = known.get(id);
    if (found !== undefined) return found;
    if (known.size >= rememberedMax) known.clear();
    const pseudonym = make(id);
    known.set(id, pseudonym);
    return pseudonym;
  };
}
