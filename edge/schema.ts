// The shape of our own event: which fields there are, what each may hold, and what a client is told otherwise.
import * as z from "zod/mini";
import { identifierLengthMax, nestingMax } from "../shared/limits.ts";
import type { RefusalCode } from "../shared/problem.ts";
import { EventFault, unknownField } from "./fault.ts";
import { escapePointer } from "./number.ts";

const identifier = z.string().check(z.minLength(1), z.maxLength(identifierLengthMax));
const time = z.union([z.string(), z.number()]);
const place = z.nullish(z.string().check(z.maxLength(identifierLengthMax)));

const schema = z.object({
  event_id: z.nullish(identifier),
  type: identifier,
  user_id: z.nullish(identifier),
  anonymous_id: z.nullish(identifier),
  session_id: z.nullish(identifier),
  stream_id: z.nullish(identifier),
  seq: z.nullish(z.int().check(z.minimum(0))),
  timestamp: z.nullish(time),
  sent_at: z.nullish(time),
  version: z.nullish(z.int().check(z.minimum(1), z.maximum(0x7fff_ffff))),
  aggregate_id: z.nullish(identifier),
  // Payload and metadata hold anything; a rule that walks their members would only copy them.
  payload: z.optional(z.unknown()),
  metadata: z.optional(z.unknown()),
  context: z.nullish(z.object({ country: place, city: place, device: place, app_version: place })),
});

/** An event that passed; members beyond these are only inside payload, metadata and context. */
export type NativeEvent = z.output<typeof schema> & {
  payload: Readonly<Record<string, unknown>> | null | undefined;
  metadata: Readonly<Record<string, unknown>> | null | undefined;
  context: Readonly<Record<string, unknown>> | null | undefined;
};

// Compiled once, at the top: some runtimes allow code to be made from text only while a module loads.
const compiled = z.compile(schema);
const fields: ReadonlySet<string> = new Set(Object.keys(schema.shape));

/** Checks an event in our own shape. Its nesting is bounded here, before anything recurses into it. */
export function checkShape(event: Readonly<Record<string, unknown>>): EventFault | undefined {
  for (const name in event) if (!fields.has(name)) return unknownField(name);
  if (nestsDeeper(event, nestingMax)) {
    return new EventFault("nesting_too_deep", "", `An event nests at most ${nestingMax} levels.`);
  }
  const parsed = compiled.safeParse(event);
  if (!parsed.success) return faultOf(parsed.error.issues[0]!, event);
  return record(event, "payload") ?? record(event, "metadata");
}

/** Whether a value is an object that is no array. */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function record(event: Readonly<Record<string, unknown>>, name: string): EventFault | undefined {
  const value = event[name];
  return value === undefined || value === null || isRecord(value)
    ? undefined
    : new EventFault("invalid_type", `/${name}`, "It must be an object.");
}

// Level by level with a list instead of recursion; nearly all events hold objects of plain values, which
// is seen without any list.
function nestsDeeper(root: object, levelsMax: number): boolean {
  if (nestsAtMostTwice(root)) return false;
  let level: object[] = [root];
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > levelsMax) return true;
    const below: object[] = [];
    for (const node of level) {
      for (const member of Array.isArray(node) ? node : Object.values(node)) {
        if (typeof member === "object" && member !== null) below.push(member);
      }
    }
    level = below;
  }
  return false;
}

function nestsAtMostTwice(root: object): boolean {
  for (const name in root) {
    const member: unknown = root[name as keyof typeof root];
    if (typeof member !== "object" || member === null) continue;
    for (const inner in member) {
      const value: unknown = member[inner as keyof typeof member];
      if (typeof value === "object" && value !== null) return false;
    }
  }
  return true;
}

const expectations: Readonly<Record<string, string>> = {
  string: "It must be text.",
  int: "It must be a whole number that a double holds exactly.",
  number: "It must be a number.",
  object: "It must be an object.",
};

function faultOf(issue: z.core.$ZodIssue, event: Readonly<Record<string, unknown>>): EventFault {
  const pointer = issue.path.map((key) => `/${escapePointer(String(key))}`).join("");
  if (issue.path.length === 1 && event[String(issue.path[0])] === undefined) {
    return new EventFault("missing_field", pointer, "The field is needed.");
  }
  return new EventFault(codeOf(issue), pointer, detailOf(issue));
}

function codeOf(issue: z.core.$ZodIssue): RefusalCode {
  return issue.code === "invalid_type" || issue.code === "invalid_union" ? "invalid_type" : "invalid_value";
}

// Our own sentences: a value is never repeated, since details are logged and kept.
function detailOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return expectations[issue.expected] ?? "It has the wrong type.";
    case "invalid_union":
      return "It must be RFC 3339 text with an offset, or epoch milliseconds.";
    case "too_small":
      return issue.origin === "string" ? "It must not be empty." : `It must be at least ${issue.minimum}.`;
    case "too_big":
      return issue.origin === "string"
        ? `It must not be longer than ${issue.maximum} characters.`
        : `It must be at most ${issue.maximum}.`;
    default:
      return "Its value is not allowed.";
  }
}
