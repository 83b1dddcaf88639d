// How a rule goes from ok to firing to resolved: a function of where it stands and what was found.

export type RuleState = "ok" | "pending" | "firing" | "resolved";

/** `unknown`: it could not be judged, such as while figures are not folded yet. */
export type Verdict = "good" | "bad" | "unknown";

/** Epoch ms throughout. */
export interface Stand {
  state: RuleState;
  /** When the state began. */
  since: number;
  /** Since when it is bad while pending, or good while still firing. */
  turnedAt: number | null;
  /** Transitions so far: odd while it fires. */
  number: number;
}

export interface Patience {
  /** How long it must be bad before it fires. */
  forMs: number;
  /** How long it must be good before it is resolved. */
  resolveMs: number;
}

export interface Stepped {
  stand: Stand;
  /** Set where the rule began or ended to fire. */
  transition?: "firing" | "resolved";
}

/** Resolved rules are shown as such for so long; then they are ok like any other. */
const resolvedMs = 24 * 3_600_000;

export const firstStand = (now: number): Stand => ({ state: "ok", since: now, turnedAt: null, number: 0 });

/**
 * One step. What could not be judged changes nothing, and the time until it can be counts for what was found
 * before. Of several bad verdicts in a row one transition is made, and of as many good ones behind it another.
 */
export function step(stand: Stand, verdict: Verdict, now: number, { forMs, resolveMs }: Patience): Stepped {
  if (verdict === "unknown") return { stand };
  if (stand.state === "firing") {
    if (verdict === "bad") return { stand: { ...stand, turnedAt: null } };
    const turnedAt = stand.turnedAt ?? now;
    return now - turnedAt >= resolveMs ? turned(stand, "resolved", now) : { stand: { ...stand, turnedAt } };
  }
  if (verdict === "good") return { stand: calmed(stand, now) };
  const turnedAt = stand.turnedAt ?? now;
  if (now - turnedAt >= forMs) return turned(stand, "firing", now);
  const since = stand.state === "pending" ? stand.since : now;
  return { stand: { ...stand, state: "pending", since, turnedAt } };
}

/** The step of a rule that nobody has any more: one that fires is resolved, whatever its patience. */
export function end(stand: Stand, now: number): Stepped {
  if (stand.state === "firing") return turned(stand, "resolved", now);
  return { stand: stand.state === "pending" ? { ...stand, state: "ok", since: now, turnedAt: null } : stand };
}

function turned(stand: Stand, transition: "firing" | "resolved", now: number): Stepped {
  const number = stand.number + 1;
  return { stand: { state: transition, since: now, turnedAt: null, number }, transition };
}

function calmed(stand: Stand, now: number): Stand {
  const isOver = stand.state === "resolved" && now - stand.since >= resolvedMs;
  if (stand.state === "pending" || isOver) return { ...stand, state: "ok", since: now, turnedAt: null };
  return stand;
}
