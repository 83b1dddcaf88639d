// Segment's paths: its clients need nothing changed but the host.
import { readTime } from "../../shared/event/time.ts";
import { clientEventsMax } from "../../shared/limits.ts";
import { WeirError } from "../../shared/problem.ts";
import type { ClientFacts } from "../client.ts";
import type { Decoded } from "../decode.ts";
import { decodeJson, type Events, readUtf8 } from "../decode-json.ts";
import { isRecord } from "../schema.ts";
import type { Aside, Asked, Door, Intake } from "./door.ts";
import { readableTime, type SegmentKind, segmentDialect, segmentKinds } from "./segment.ts";

/** What is done with a request after its answer: a copy of it to Segment itself, where that is wanted. */
export type Afterwards = (asked: Asked) => Promise<void>;

/** One door for whole batches, and one for each kind of call, since what a path says is part of the event. */
export function segmentDoors(afterwards?: Afterwards): readonly Door[] {
  const intake = (path: string): Intake => ({
    method: "POST",
    path,
    read,
    answer: () => Response.json({ success: true }),
    ...(afterwards === undefined ? {} : { afterwards }),
  });
  const batches = ["/v1/batch", "/v1/import", "/v1/b", "/b"].map(intake);
  const whole = { dialect: segmentDialect(), intakes: batches, asides: [settings, ...ownMeasures] };
  const byKind = segmentKinds.map((kind: SegmentKind) => {
    const short = kind.charAt(0);
    const paths = [`/v1/${kind}`, `/v1/${short}`, `/${short}`];
    return { dialect: segmentDialect(kind), intakes: paths.map(intake) };
  });
  return [whole, ...byKind];
}

// Its clients send JSON under several content types, so none is asked for.
function read({ body }: Asked): Decoded {
  const { members, ...read } = decodeJson(readUtf8(body), "batch", clientEventsMax);
  const named = read.isAlone ? undefined : readableTime(members["sentAt"]);
  return {
    ...(read.isAlone ? read : withShared(read, members)),
    sentAt: named === undefined ? undefined : (readTime(named) as number),
    writeKey: keyOf(members) ?? keyOf(read.events[0]),
  };
}

function keyOf(value: unknown): string | undefined {
  const key = isRecord(value) ? value["writeKey"] : undefined;
  return typeof key === "string" ? key : undefined;
}

// What a batch says once for all of its events becomes part of each, in what is kept of it too.
function withShared(read: Events, { context, integrations }: Readonly<Record<string, unknown>>): Events {
  if (!isRecord(context) && !isRecord(integrations)) return read;
  const events = read.events.map((event) => {
    if (!isRecord(event)) return event;
    const own = event["context"] ?? undefined;
    return {
      ...event,
      ...(isRecord(context) && (own === undefined || isRecord(own))
        ? { context: { ...context, ...own } }
        : {}),
      ...(isRecord(integrations) && (event["integrations"] ?? undefined) === undefined
        ? { integrations }
        : {}),
    };
  });
  const original = (index: number): Uint8Array =>
    read.faults.has(index) || events[index] === read.events[index]
      ? read.original(index)
      : new TextEncoder().encode(JSON.stringify(events[index]));
  return { ...read, events, original };
}

const keyLengthMax = 256;

// What a browser client asks its CDN for before anything else: where to send to. Its measures of itself are
// switched off, and so is every destination of its own.
const settings: Aside = {
  method: "GET",
  path: "/v1/projects/:key/settings",
  answer(request, { key = "" }, _readBody, client) {
    if (key.length > keyLengthMax) throw new WeirError("not_found", "No write key is as long as that.");
    const sends = {
      apiKey: key,
      apiHost: `${new URL(request.url).host}/v1`,
      protocol: protocolOf(request, client),
    };
    const plan = { __default: { enabled: true, integrations: {} } };
    const body = {
      integrations: { "Segment.io": { ...sends, unbundledIntegrations: [], addBundledMetadata: true } },
      plan: { track: plan, identify: plan, group: plan },
      edgeFunction: {},
      analyticsNextEnabled: true,
      middlewareSettings: {},
      enabledMiddleware: {},
      metrics: { sampleRate: 0 },
      legacyVideoPluginsEnabled: false,
      remotePlugins: [],
    };
    return Response.json(body, { headers: { "cache-control": "private, max-age=300" } });
  },
};

const protocolOf = (request: Request, client: ClientFacts | undefined): string =>
  client?.protocol ?? new URL(request.url).protocol.slice(0, -1);

// Where no settings switched them off, a client's measures of itself come here; they are no events.
const ownMeasures = ["/v1/m", "/m"].map(
  (path): Aside => ({ method: "POST", path, answer: () => Response.json({ success: true }) }),
);
