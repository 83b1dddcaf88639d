// Amplitude's path, and answers in the form its clients go by: they read the code in the body.
import { clientEventsMax } from "../../shared/limits.ts";
import { type ProblemCode, problemResponse, toProblem, WeirError } from "../../shared/problem.ts";
import { decodeJson, readUtf8 } from "../decode-json.ts";
import { amplitude } from "./amplitude.ts";
import type { Asked, Door, Receipt } from "./door.ts";

export const amplitudeDoor: Door = {
  dialect: amplitude,
  intakes: [{ method: "POST", path: "/2/httpapi", read, answer, refuse }],
};

function read({ body }: Asked) {
  const { members, isAlone, ...events } = decodeJson(readUtf8(body), "events", clientEventsMax);
  if (isAlone) throw new WeirError("body_malformed", "The body has no `events`.");
  const { api_key: key } = members;
  return { ...events, sentAt: undefined, writeKey: typeof key === "string" ? key : undefined };
}

function answer({ received }: Receipt, { body, receivedAt }: Asked): Response {
  const told = { events_ingested: received, payload_size_bytes: body.length, server_upload_time: receivedAt };
  return Response.json({ code: 200, ...told });
}

// A client tries again a handful of times, waiting longer each time; but after 429 it waits no longer, and so
// has given up within seconds. What is wrong with a whole request is put so that none of it is tried again.
function refuse(error: unknown, requestId: string | undefined): Response {
  const problem = problemResponse(error, requestId);
  const { code: name, detail } = toProblem(error);
  const code = problem.status === 429 ? 503 : (codes[name] ?? problem.status);
  const told = name === "unknown_write_key" ? `Invalid API key: ${detail}` : detail;
  const headers = new Headers(problem.headers);
  headers.set("content-type", "application/json");
  const isFinal = code >= 400 && code < 500 && code !== 413;
  return new Response(JSON.stringify({ code, error: told, ...(isFinal ? { missing_field: name } : {}) }), {
    status: code,
    headers,
  });
}

const codes: Partial<Record<ProblemCode, number>> = { unknown_write_key: 400 };
