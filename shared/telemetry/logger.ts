// JSON lines about state changes and errors: one object a line, limited in rate, without secrets.
import { type Clock, systemClock } from "../clock.ts";
import type { Logger } from "../logger.ts";

/** The same error code is written at most once in this time. */
const errorEveryMs = 10_000;
/** Codes whose rate is remembered; they are a closed set, so the bound only guards against a mistake. */
const codesMax = 500;

export interface LoggerOptions {
  /** Which process speaks: edge, collector, aggregator, weir. */
  process: string;
  /** Takes one line without its line break. Standard error unless told otherwise. */
  write?: (line: string) => void;
  clock?: Pick<Clock, "now">;
}

/** A line is `{ ts, level, code, process, held_back?, fields? }`. Calls never fail. */
export function createLogger(options: LoggerOptions): Logger {
  const write = options.write ?? ((line: string) => console.error(line));
  const clock = options.clock ?? systemClock;
  const errors = new Map<string, { writtenAt: number; heldBack: number }>();

  function line(
    level: string,
    code: string,
    heldBack: number,
    fields: Readonly<Record<string, unknown>>,
  ): void {
    write(
      JSON.stringify({
        ts: new Date(clock.now()).toISOString(),
        level,
        code,
        process: options.process,
        ...(heldBack > 0 ? { held_back: heldBack } : {}),
        ...(Object.keys(fields).length > 0 ? { fields: redact(fields) } : {}),
      }),
    );
  }

  return {
    info: (code, fields = {}) => line("info", code, 0, fields),
    error(code, fields = {}) {
      const now = clock.now();
      const known = errors.get(code);
      if (known !== undefined && now - known.writtenAt < errorEveryMs) {
        known.heldBack += 1;
        return;
      }
      if (known === undefined && errors.size >= codesMax) errors.clear();
      errors.set(code, { writtenAt: now, heldBack: 0 });
      line("error", code, known?.heldBack ?? 0, fields);
    },
  };
}

const depthMax = 4;
const membersMax = 50;
const textLengthMax = 2_000;
const hidden = "[redacted]";
const secretName = /secret|token|passw(or)?d|authorization|cookie|credential|write_?key|private_?key/i;

/** A copy that may be shown: secrets hidden, errors as objects, everything bounded. Never throws. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "function" || typeof value === "symbol") return `[${typeof value}]`;
  if (typeof value !== "object" || value === null) return value;
  if (depth >= depthMax) return "[deeper]";
  try {
    if (value instanceof Error) return redactError(value, depth);
    if (value instanceof Uint8Array) return `[${value.length} bytes]`;
    if (value instanceof Date) return value.toISOString();
    if (Array.isArray(value)) return value.slice(0, membersMax).map((member) => redact(member, depth + 1));
    const members = Object.entries(value).slice(0, membersMax);
    return Object.fromEntries(
      members.map(([name, member]) => [name, secretName.test(name) ? hidden : redact(member, depth + 1)]),
    );
  } catch {
    return "[unreadable]";
  }
}

function redactError(error: Error, depth: number): unknown {
  const code = (error as { code?: unknown }).code;
  return {
    name: error.name,
    message: redactText(error.message),
    ...(typeof code === "string" ? { code } : {}),
    ...(error.cause === undefined ? {} : { cause: redact(error.cause, depth + 1) }),
  };
}

/**
 * A text without the credentials of URLs, API tokens, bearer tokens, and `password=…` as drivers print them. A URL is
 * hidden up to its last @, since a password may hold any character that someone forgot to escape.
 */
export function redactText(text: string): string {
  return text
    .slice(0, textLengthMax)
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^\s"'<>]*@/gi, `$1${hidden}@`)
    .replace(/\bweir_[0-9A-Za-z]{49}\b/g, hidden)
    .replace(/\b(bearer|basic)\s+[\w.~+/=-]+/gi, `$1 ${hidden}`)
    .replace(/((?:secret|token|passw(?:or)?d)\w*["']?\s*[=:]\s*)["']?[^\s&,;"']+/gi, `$1${hidden}`);
}
