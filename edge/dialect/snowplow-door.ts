// Snowplow's paths: the tracker protocol by POST, and one event a pixel by GET.
import { clientEventsMax } from "../../shared/limits.ts";
import { problemResponse, problems, toProblem } from "../../shared/problem.ts";
import type { Decoded } from "../decode.ts";
import { decodeJson, readUtf8 } from "../decode-json.ts";
import { isRecord } from "../schema.ts";
import { namedBy } from "./alias.ts";
import type { Asked, Door } from "./door.ts";
import { snowplow } from "./snowplow.ts";

export const snowplowDoor: Door = {
  dialect: snowplow,
  credentials: true,
  intakes: [
    {
      method: "POST",
      path: "/com.snowplowanalytics.snowplow/tp2",
      read: ({ body, request }) =>
        anonymised(namedBy(decodeJson(readUtf8(body), "data", clientEventsMax), appIdOf), request),
      answer: () => new Response("ok", { headers: { "content-type": "text/plain; charset=utf-8" } }),
      refuse,
    },
    {
      method: "GET",
      path: "/i",
      read: readPixel,
      answer: () => new Response(pixel.slice(), { headers: pixelHeaders }),
      refuse,
    },
  ],
};

// A query is an event whose values are all texts, and is kept as that event should it be refused.
function readPixel({ url, request }: Asked): Decoded {
  const event = JSON.stringify(Object.fromEntries(url.searchParams));
  return anonymised(namedBy(decodeJson(event, undefined, 1), appIdOf), request);
}

// `SP-Anonymous: *` is the tracker's anonymous tracking: no address, and no id that a network gave its user.
function anonymised(decoded: Decoded, { headers }: Request): Decoded {
  if (headers.get("sp-anonymous") !== "*") return decoded;
  const events = decoded.events.map((event) => {
    if (!isRecord(event)) return event;
    const { nuid: _, tnuid: _1, ip: _2, ...rest } = event;
    return rest;
  });
  return { ...decoded, events, isPlaceless: true };
}

const appIdOf = ({ aid }: Readonly<Record<string, unknown>>): unknown => aid;

// The tracker gives up at 400, 401, 403, 410 and 422, and sends the same again at anything else, before all
// that comes later. So what can never succeed is one of these, and nothing else is.
const final = [400, 401, 403];

function refuse(error: unknown, requestId: string | undefined): Response {
  const problem = problemResponse(error, requestId);
  const [, , isRetryable] = problems[toProblem(error).code];
  if (isRetryable || final.includes(problem.status)) return problem;
  return new Response(problem.body, { status: 422, headers: problem.headers });
}

/** The smallest GIF there is: one transparent pixel, 43 bytes. */
const pixel = Uint8Array.from(atob("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="), (unit) =>
  unit.charCodeAt(0),
);
const pixelHeaders = { "content-type": "image/gif", "cache-control": "no-store" };
