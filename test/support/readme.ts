// The README's tables as they follow from the code.
import { type ProblemCode, problems, type RefusalCode, refusalCodes } from "../../shared/problem.ts";
import { aboutSetting, settings } from "../../shared/settings.ts";

/** What each refusal of an event means to whoever sent it; the compiler asks for all of them. */
const refusalMeanings: Readonly<Record<RefusalCode, string>> = {
  event_malformed: "The event is no object, or its bytes cannot be read",
  event_too_large: "The event is over 64 KiB; keep large content elsewhere and send a reference",
  nesting_too_deep: "Objects and lists lie more than 32 deep in each other",
  missing_field: "A field that is needed is not there",
  invalid_type: "A field holds another type than it should",
  invalid_value: "A field's value is empty, too long or out of its range",
  unknown_field: "The event has a field of no known name; your own go into payload, metadata or context",
  number_not_representable: "A number does not survive a double; send it as text",
  timestamp_without_offset: "The time is local; add Z or an offset",
  timestamp_invalid: "The time is none",
  time_too_old: "The time is more than 30 days back, and the key may not send old events",
  time_ahead: "The time is more than 10 minutes ahead",
  consent_missing:
    "The project keeps nothing of a sender who did not consent, and nothing but the refusal is kept",
  content_forbidden:
    "The event holds an e-mail address, a phone number or a card number, which the project takes none of; it is kept masked",
  schema_violation: "The payload is not what the project declared for the type",
  version_unknown: "The project governs the type and has not declared this version of it",
};

type Row = readonly string[];

function table(head: Row, rows: readonly Row[]): string {
  const line = (cells: Row): string => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

/** A setting's default as one would write it; nothing where it has none. */
function defaultOf(name: keyof typeof settings): string {
  const parsed = settings[name].safeParse(undefined);
  if (!parsed.success || parsed.data === undefined) return "";
  return `\`${typeof parsed.data === "boolean" ? Number(parsed.data) : parsed.data}\``;
}

const names = Object.keys(settings) as (keyof typeof settings)[];
const codes = Object.keys(problems) as ProblemCode[];

/** Every generated block by the name that stands in its marker. */
export const blocks: Readonly<Record<string, string>> = {
  settings: table(
    ["name", "default", "what it is"],
    names.map((name) => [`\`${name}\``, defaultOf(name), aboutSetting(name)]),
  ),
  problems: table(
    ["status", "code", "what happened", "try again"],
    codes.map((code) => {
      const [status, title, retryable] = problems[code];
      return [String(status), `\`${code}\``, title, retryable ? "yes" : "no"];
    }),
  ),
  refusals: table(
    ["code", "what is wrong"],
    refusalCodes.map((code) => [`\`${code}\``, refusalMeanings[code]]),
  ),
};

const block = /(<!-- generated: (\w+) -->\n)[\s\S]*?(<!-- \/generated -->)/g;

/** The text with every generated block made anew. Throws on a block of an unknown name. */
export function regenerate(text: string): string {
  return text.replaceAll(block, (_, begin: string, name: string, end: string) => {
    const made = blocks[name];
    if (made === undefined) throw new Error(`no table is called ${name}`);
    return `${begin}${made}\n${end}`;
  });
}
