// What is told of a transition, to the log, a webhook and people alike.
import { durationText, type Rule } from "./rule.ts";

/** One time a rule began or ended to fire. */
export interface Transition {
  /** The same in every copy that is told of it. */
  id: string;
  rule: string;
  number: number;
  state: "firing" | "resolved";
  /** Epoch ms. */
  at: number;
  value: number | null;
  detail: string;
}

/** What of a rule is told, also of one that is there no more. */
export interface RuleWords {
  name: string;
  kind: string;
  severity: string;
  summary: string;
}

/** The body of the webhook and of the notice: `text` is for people, as Slack and its like show it. */
export interface Told extends Record<string, unknown> {
  type: "alert.firing" | "alert.resolved";
  /** RFC 3339. */
  timestamp: string;
  text: string;
  data: Record<string, string | number | null>;
}

export function tell(words: RuleWords, { id, number, state, at, value, detail }: Transition): Told {
  const mark = state === "firing" ? `FIRING (${words.severity})` : "Resolved";
  const timestamp = new Date(at).toISOString();
  return {
    type: `alert.${state}`,
    timestamp,
    text: `${mark}: ${words.name}. ${words.summary}. ${detail}.`,
    data: {
      alert_id: id,
      rule: words.name,
      kind: words.kind,
      severity: words.severity,
      state,
      number,
      at: timestamp,
      value,
      summary: words.summary,
      detail,
    },
  };
}

/** What it says may name a hundred types. */
const summaryLengthMax = 300;

/** A rule's own summary, or what it says in words. */
export function wordsOf(rule: Rule): RuleWords {
  const { name, kind, severity } = rule;
  return { name, kind, severity, summary: (rule.summary ?? conditionText(rule)).slice(0, summaryLengthMax) };
}

function conditionText(rule: Rule): string {
  const scope = "project" in rule && rule.project !== undefined ? ` in ${rule.project}` : "";
  const of = "types" in rule && rule.types !== undefined ? ` of ${rule.types.join(", ")}` : "";
  switch (rule.kind) {
    case "threshold": {
      const bound = rule.above === undefined ? `below ${rule.below}` : `above ${rule.above}`;
      return `${figureText(rule)}${of}${scope} in ${durationText(rule.window)} ${bound}`;
    }
    case "change": {
      const parts = [
        ...(rule.up === undefined ? [] : [`${rule.up} % more`]),
        ...(rule.down === undefined ? [] : [`${rule.down} % fewer`]),
      ];
      return `${figureText(rule)}${of}${scope} in ${durationText(rule.window)}: ${parts.join(" or ")} than usual`;
    }
    case "no_data":
      return `No event${of}${scope} for ${durationText(rule.after)}`;
    case "completeness":
      return `Numbered events are missing${scope}`;
    case "ledger":
      return "The ledger does not close";
  }
}

function figureText({ figure, currency }: { figure: string; currency?: string | undefined }): string {
  if (figure === "revenue") return `Revenue in ${currency}`;
  return `${figure[0]!.toUpperCase()}${figure.slice(1).replace("_", " ")}`;
}
