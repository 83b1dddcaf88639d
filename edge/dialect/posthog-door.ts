// PostHog's paths for events, each with and without its last slash.
import { readTime } from "../../shared/event/time.ts";
import { clientEventsMax } from "../../shared/limits.ts";
import { problemResponse, problems, toProblem, WeirError } from "../../shared/problem.ts";
import type { Decoded } from "../decode.ts";
import { decodeJson, readUtf8 } from "../decode-json.ts";
import { isRecord } from "../schema.ts";
import type { Aside, Asked, Door, Intake } from "./door.ts";
import { posthog } from "./posthog.ts";
import { emptyAnswers } from "./posthog-empty.ts";
import type { Afterwards } from "./segment-door.ts";

/** What PostHog itself is still asked for. */
export interface PosthogOutside {
  /** Answers what Weir does not serve; without it the answers are well-formed and empty. */
  asides?: readonly Aside[] | undefined;
  afterwards?: Afterwards | undefined;
}

/** A path with its last slash and without. */
export const slashed = (path: string): string[] => [path, `${path}/`];

export function posthogDoor({ asides = emptyAnswers, afterwards }: PosthogOutside = {}): Door {
  const intakeOf =
    (method: Intake["method"]) =>
    (path: string): Intake => ({
      method,
      path,
      read,
      answer: () => Response.json({ status: "Ok" }),
      refuse,
      ...(afterwards === undefined ? {} : { afterwards }),
    });
  const posts = ["/e", "/batch", "/capture", "/i/v0/e"].flatMap(slashed).map(intakeOf("POST"));
  const pixels = ["/e", "/capture"].flatMap(slashed).map(intakeOf("GET"));
  return { dialect: posthog, intakes: [...posts, ...pixels], asides };
}

function read({ request, url, body }: Asked): Decoded {
  const text = request.method === "GET" ? dataOf(url.searchParams) : textOf(body);
  const { members, ...read } = decodeJson(text, "batch", clientEventsMax);
  // A request is one project's, as it is to PostHog.
  const [key = keyOf(Object.fromEntries(url.searchParams)), other] = new Set(
    [members, ...read.events].map(keyOf).filter((found) => found !== undefined),
  );
  if (other !== undefined) throw new WeirError("body_malformed", "The events name several keys.");
  return {
    ...read,
    // Older clients name the time of sending in the query.
    sentAt: timeOf(members["sent_at"]) ?? timeOf(Number(url.searchParams.get("_") ?? Number.NaN)),
    writeKey: key,
  };
}

const keyNames = ["api_key", "token", "$token"];

function keyOf(value: unknown): string | undefined {
  if (!isRecord(value)) return undefined;
  const holders = [value, value["properties"]].filter(isRecord);
  const keys = holders.flatMap((holder) => keyNames.map((name) => holder[name]));
  return keys.find((key): key is string => typeof key === "string" && key !== "");
}

function timeOf(value: unknown): number | undefined {
  const time = typeof value === "string" || typeof value === "number" ? readTime(value) : undefined;
  return typeof time === "number" ? time : undefined;
}

// JSON; or a form whose `data` is JSON, or that in base64, for which a form may have turned `+` into a space.
function textOf(body: Uint8Array): string {
  const text = readUtf8(body);
  return text.startsWith("data=") ? dataOf(new URLSearchParams(text)) : text;
}

function dataOf(form: URLSearchParams): string {
  const value = (form.get("data") ?? "").trim();
  return /^[[{]/.test(value) ? value : readUtf8(fromBase64(value.replaceAll(" ", "+")));
}

function fromBase64(text: string): Uint8Array {
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    throw new WeirError("body_malformed", "`data` is neither JSON nor base64.");
  }
}

// Its browser client takes every 4xx for final, 429 too; what may succeed later must be a 503 to it.
function refuse(error: unknown, requestId: string | undefined): Response {
  const { code, status, detail } = toProblem(error);
  if (!problems[code][2] || status >= 500) return problemResponse(error, requestId);
  const retryAfterMs = error instanceof WeirError ? error.retryAfterMs : 0;
  return problemResponse(new WeirError("overloaded", detail, { cause: error, retryAfterMs }), requestId);
}
