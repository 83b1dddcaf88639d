// The one test body of all runtimes: what is sent, and what must come of it whatever the edge runs on.
import { gzipSync } from "node:zlib";
import { toHex } from "../../shared/event/bytes.ts";
import { flag } from "../../shared/event/event.ts";
import { bodyBytesMax, requestEventsMax } from "../../shared/limits.ts";
import type { Batch } from "../../shared/wire/batch.ts";
import { pack } from "../../shared/wire/msgpack.ts";
import { writeKey } from "./upstream.ts";

export interface Sent {
  name: string;
  status: number;
  path?: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
}

const bearer = { authorization: `Bearer ${writeKey}` };
const json = { ...bearer, "content-type": "application/json" };
const time = Date.now() - 60_000;
const event = (id: string, more: object = {}) => ({
  event_id: id,
  type: "page_view",
  timestamp: time,
  ...more,
});
const rich = {
  user_id: "u-1é",
  session_id: "s",
  stream_id: "stream",
  seq: 7,
  version: 2,
  payload: {
    text: "é😀\u2028",
    revenue: "12.50",
    list: [1, 2.5, -0, 1e21, null, true],
    currency: "EUR",
    "": { z: 1, a: 2 },
  },
  metadata: { source: "test" },
  context: { app_version: "1.2", trace_id: "t" },
};
const text = (id: string): string => JSON.stringify([event(id)]);

/** Every kind of request, in an order that matters: a repeated id is a duplicate. */
export const requests: readonly Sent[] = [
  {
    name: "JSON",
    status: 202,
    headers: json,
    body: JSON.stringify({ events: [event("j-1", rich), event("j-2")] }),
  },
  { name: "a copy of it", status: 202, headers: json, body: JSON.stringify({ events: [event("j-2")] }) },
  {
    name: "NDJSON",
    status: 202,
    headers: { ...bearer, "content-type": "application/x-ndjson" },
    body: `${JSON.stringify(event("n-1", rich))}\nno json\n${JSON.stringify(event("n-2"))}\n`,
  },
  {
    name: "msgpack",
    status: 202,
    headers: { ...bearer, "content-type": "application/msgpack" },
    body: pack({ events: [event("m-1", rich), event("m-2")] }),
  },
  {
    name: "gzip",
    status: 202,
    headers: { ...json, "content-encoding": "gzip" },
    body: gzipSync(text("g-1")),
  },
  { name: "gzip unannounced", status: 202, headers: bearer, body: gzipSync(text("g-2")) },
  {
    name: "text/plain",
    status: 202,
    headers: { ...bearer, "content-type": "text/plain" },
    body: text("t-1"),
  },
  { name: "a byte order mark", status: 202, headers: json, body: `\ufeff${text("bom-1")}` },
  {
    name: "Basic",
    status: 202,
    headers: { authorization: `Basic ${btoa(`${writeKey}:`)}` },
    body: text("b-1"),
  },
  {
    name: "a key in the body",
    status: 202,
    body: JSON.stringify({ write_key: writeKey, events: [event("k-1")] }),
  },
  {
    name: "events that have faults, beside one that has none",
    status: 202,
    headers: json,
    body: JSON.stringify({
      events: [
        event("f-1"),
        { event_id: "f-2" },
        event("f-3", { timestamp: "2026-01-01T00:00:00" }),
        event("f-4", { timestamp: 0 }),
        event("f-5", { surprise: 1 }),
        event("f-6", { payload: "text" }),
        event("f-7", { payload: { a: "\u0000\ud800" } }),
        event("f-8", { payload: { big: "x".repeat(70_000) } }),
        7,
      ],
    }).replace('"f-1"', '"f-1","payload":{"n":12345678901234567890}'),
  },
  {
    name: "a growth event",
    status: 202,
    path: "/v1/growth-events",
    headers: json,
    body: JSON.stringify([
      { user_id: "u", event_type: "signup", client_timestamp: new Date(time).toISOString() },
    ]),
  },
  {
    name: "500 events",
    status: 202,
    headers: json,
    body: JSON.stringify({ events: Array.from({ length: 500 }, (_, index) => event(`many-${index}`, rich)) }),
  },
  { name: "no JSON", status: 400, headers: json, body: "{" },
  { name: "no UTF-8", status: 400, headers: json, body: Uint8Array.of(0x22, 0xff, 0x22) },
  { name: "no event", status: 400, headers: json, body: "[]" },
  {
    name: "broken msgpack",
    status: 400,
    headers: { ...bearer, "content-type": "application/msgpack" },
    body: Uint8Array.of(0x92, 0x01),
  },
  {
    name: "broken gzip",
    status: 400,
    headers: { ...json, "content-encoding": "gzip" },
    body: gzipSync(text("x")).subarray(0, 20),
  },
  { name: "another media type", status: 415, headers: { ...bearer, "content-type": "image/png" }, body: "x" },
  { name: "another encoding", status: 415, headers: { ...json, "content-encoding": "zstd" }, body: "x" },
  { name: "too large", status: 413, headers: json, body: new Uint8Array(bodyBytesMax + 1).fill(0x20) },
  {
    name: "too large when unpacked",
    status: 413,
    headers: { ...json, "content-encoding": "gzip" },
    body: gzipSync(new Uint8Array(20 * bodyBytesMax)),
  },
  {
    name: "too many events",
    status: 413,
    headers: json,
    body: JSON.stringify(Array(requestEventsMax + 1).fill(1)),
  },
  { name: "an unknown key", status: 401, headers: { authorization: "Bearer nobody" }, body: text("x") },
  { name: "no key", status: 401, body: text("x") },
  { name: "another method", status: 405, method: "GET", headers: bearer },
  { name: "another path", status: 404, path: "/v2/events", headers: json, body: text("x") },
  {
    name: "a browser's question before it sends",
    status: 204,
    method: "OPTIONS",
    headers: {
      origin: "https://shop.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type",
    },
  },
  {
    name: "a browser",
    status: 202,
    headers: { ...json, origin: "https://shop.example" },
    body: text("cors-1"),
  },
  { name: "whether it lives", status: 200, path: "/livez", method: "GET" },
  { name: "whether it is ready", status: 200, path: "/readyz", method: "GET" },
];

/** What Cloudflare itself would say of the client. */
export const cloudflareFacts = { country: "NZ", city: "Wellington" };

/** An answer without what is another one each time. */
export interface Told {
  status: number;
  headers: Record<string, string | null>;
  body: unknown;
}

const told = [
  "content-type",
  "retry-after",
  "x-request-id",
  "access-control-allow-origin",
  "access-control-allow-methods",
  "access-control-allow-headers",
  "access-control-expose-headers",
  "access-control-max-age",
];

/** Sends one request by `send`, which is `fetch` or an edge's own. */
export async function ask(
  url: string,
  sent: Sent,
  send: (request: Request) => Response | Promise<Response>,
): Promise<Told> {
  const { path = "/v1/events", method = "POST", headers = {}, body } = sent;
  const named = {
    "x-request-id": "request-of-the-test",
    "user-agent": "node",
    connection: "close",
    ...headers,
  };
  // A connection of its own: after some refusals the server ends the one it came by.
  const init = {
    method,
    headers: named,
    ...(body === undefined ? {} : { body: body as BodyInit }),
  };
  const response = await send(new Request(url + path, init));
  const text = await response.text();
  return {
    status: response.status,
    headers: Object.fromEntries(told.map((name) => [name, headerOf(response, name)])),
    body: text.startsWith("{") ? { ...(JSON.parse(text) as object), batch_id: "its own" } : text,
  };
}

// Runtimes write lists and charsets each in their way, and some name plain text only when it is sent.
function headerOf(response: Response, name: string): string | null {
  const value = response.headers
    .get(name)
    ?.toLowerCase()
    .replace(/; *charset=utf-8$/, "");
  return value === undefined || value === "text/plain" ? null : value;
}

/** What of a batch does not depend on when and where it was made. */
export function lasting(batch: Batch) {
  const hashes = batch.hashes.slice();
  // A refused event without an id of its own has the identity of its place in this very batch.
  for (const { index } of batch.refusals) {
    if ((batch.flags[index]! & flag.weak) !== 0) hashes.fill(0, index * 16, index * 16 + 16);
  }
  return {
    project: batch.project,
    count: batch.count,
    ids: toHex(batch.ids),
    hashes: toHex(hashes),
    fingerprints: toHex(batch.fingerprints),
    flags: toHex(batch.flags),
    sizes: batch.sizes,
    bodies: toHex(batch.bodies),
    refusals: batch.refusals,
  };
}
