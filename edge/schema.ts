// The shape of our own event: which fields there are, what each may hold, and what a client is told otherwise.
import { identifierLengthMax, nestingMax } from "../shared/limits.ts";
import { EventFault, unknownField } from "./fault.ts";

const names = [
  "event_id",
  "type",
  "user_id",
  "anonymous_id",
  "session_id",
  "stream_id",
  "seq",
  "timestamp",
  "sent_at",
  "version",
  "aggregate_id",
  "payload",
  "metadata",
  "context",
] as const;
const fields: ReadonlySet<string> = new Set(names);

type Candidate = Readonly<Partial<Record<(typeof names)[number], unknown>>>;
type Place = "country" | "city" | "device" | "app_version";

/** An event that passed; members beyond these are only inside payload, metadata and context. */
export type NativeEvent = {
  event_id?: string | null | undefined;
  type: string;
  user_id?: string | null | undefined;
  anonymous_id?: string | null | undefined;
  session_id?: string | null | undefined;
  stream_id?: string | null | undefined;
  seq?: number | null | undefined;
  timestamp?: string | number | null | undefined;
  sent_at?: string | number | null | undefined;
  version?: number | null | undefined;
  aggregate_id?: string | null | undefined;
  payload: Readonly<Record<string, unknown>> | null | undefined;
  metadata: Readonly<Record<string, unknown>> | null | undefined;
  context: (Readonly<Record<string, unknown>> & Partial<Record<Place, string | null>>) | null | undefined;
};

type Fault = EventFault | undefined;

// By hand: no slower than a compiled zod schema, and without the compiler, which was an eighth of a Worker's
// bundle. Payload and metadata hold anything, and are looked at last.
function faultOf(event: Candidate): Fault {
  return (
    text(event.event_id, "event_id") ??
    (event.type === undefined || event.type === null ? noType(event.type) : text(event.type, "type")) ??
    text(event.user_id, "user_id") ??
    text(event.anonymous_id, "anonymous_id") ??
    text(event.session_id, "session_id") ??
    text(event.stream_id, "stream_id") ??
    whole(event.seq, "seq", 0, Number.MAX_SAFE_INTEGER) ??
    time(event.timestamp, "timestamp") ??
    time(event.sent_at, "sent_at") ??
    whole(event.version, "version", 1, 0x7fff_ffff) ??
    text(event.aggregate_id, "aggregate_id") ??
    context(event.context)
  );
}

const wrongType = (path: string, detail: string): EventFault =>
  new EventFault("invalid_type", `/${path}`, detail);
const wrongValue = (path: string, detail: string): EventFault =>
  new EventFault("invalid_value", `/${path}`, detail);

const noType = (type: null | undefined): EventFault =>
  type === undefined
    ? new EventFault("missing_field", "/type", "The field is needed.")
    : wrongType("type", "It must be text.");

// Null is the same as absent, in these and in what follows.
function text(value: unknown, path: string, lengthMin = 1): Fault {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") return wrongType(path, "It must be text.");
  if (value.length < lengthMin) return wrongValue(path, "It must not be empty.");
  if (value.length <= identifierLengthMax) return undefined;
  return wrongValue(path, `It must not be longer than ${identifierLengthMax} characters.`);
}

function whole(value: unknown, path: string, least: number, most: number): Fault {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number") return wrongType(path, "It must be a number.");
  if (!Number.isInteger(value)) {
    return wrongType(path, "It must be a whole number that a double holds exactly.");
  }
  if (value < least) return wrongValue(path, `It must be at least ${least}.`);
  return value > most ? wrongValue(path, `It must be at most ${most}.`) : undefined;
}

const time = (value: unknown, path: string): Fault =>
  value === undefined || value === null || typeof value === "string" || typeof value === "number"
    ? undefined
    : wrongType(path, "It must be RFC 3339 text with an offset, or epoch milliseconds.");

function context(value: unknown): Fault {
  if (value === undefined || value === null) return undefined;
  if (!isRecord(value)) return wrongType("context", "It must be an object.");
  const { country, city, device, app_version: appVersion } = value as Record<Place, unknown>;
  return (
    text(country, "context/country", 0) ??
    text(city, "context/city", 0) ??
    text(device, "context/device", 0) ??
    text(appVersion, "context/app_version", 0)
  );
}

/** Checks an event in our own shape. Its nesting is bounded here, before anything recurses into it. */
export function checkShape(event: Readonly<Record<string, unknown>>): EventFault | undefined {
  for (const name in event) if (!fields.has(name)) return unknownField(name);
  if (nestsDeeper(event, nestingMax)) {
    return new EventFault("nesting_too_deep", "", `An event nests at most ${nestingMax} levels.`);
  }
  const fault = faultOf(event as Candidate);
  if (fault !== undefined) return fault;
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
