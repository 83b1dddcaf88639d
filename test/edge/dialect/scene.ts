// An edge that real clients reach over HTTP: a collector in memory behind it, faults in front of it.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { fixedKeys } from "../../../edge/keys.ts";
import { systemClock } from "../../../shared/clock.ts";
import { toHex } from "../../../shared/event/bytes.ts";
import type { EventFields } from "../../../shared/event/event.ts";
import { aliasText } from "../../../shared/event/write-key.ts";
import type { Refusal } from "../../../shared/wire/refusal.ts";
import { bodiesOf, keyOf, testEdge } from "../support.ts";

/** What the next request meets: an answer of its own, or the edge's that never reaches the client. */
export type Fault = { status: number; headers?: Record<string, string> } | "cut";

export interface Scene {
  url: string;
  writeKey: string;
  /** Each request takes one from the front; without any the edge answers. */
  faults: Fault[];
  /** Requests that were answered, their paths without the query. */
  requests: { method: string; path: string; status: number }[];
  /** Every event that is stored once, by its identity, in the order of arrival. */
  stored(): EventFields[];
  /** How many events reached the collector, copies included. */
  received(): number;
  /** How many requests came with a body packed by gzip. */
  packed(): number;
  refusals(): Refusal[];
  close(): Promise<void>;
}

/** `names` are further keys of the same project: aliases, such as an app id or a domain. */
export async function openScene(names: readonly string[] = []): Promise<Scene> {
  const writeKey = "wk_dialects";
  const keys = fixedKeys(await Promise.all([writeKey, ...names.map(aliasText)].map((name) => keyOf(name))));
  const edge = await testEdge({ clock: systemClock, keys });
  const faults: Fault[] = [];
  const requests: Scene["requests"] = [];
  let packed = 0;
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.writeHead(500).end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    writeKey,
    faults,
    requests,
    stored() {
      const byIdentity = new Map<string, EventFields>();
      for (const batch of edge.collector.batches) {
        bodiesOf(batch).forEach((event, index) => {
          const key = toHex(batch.hashes.subarray(index * 16, index * 16 + 16));
          if (typeof event !== "string" && !byIdentity.has(key)) byIdentity.set(key, event);
        });
      }
      return [...byIdentity.values()];
    },
    received: () => edge.collector.batches.reduce((sum, { count }) => sum + count, 0),
    packed: () => packed,
    refusals: () => edge.collector.batches.flatMap(({ refusals }) => refusals),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = "GET", headers } = request;
    if (headers["content-encoding"] === "gzip") packed += 1;
    const isPreflight = method === "OPTIONS";
    const fault = isPreflight ? undefined : faults.shift();
    const path = new URL(request.url!, url).pathname;
    const crossOrigin = {
      "access-control-allow-origin": headers.origin ?? "*",
      "access-control-allow-credentials": "true",
    };
    if (typeof fault === "object") {
      requests.push({ method, path, status: fault.status });
      response.writeHead(fault.status, { ...crossOrigin, ...fault.headers }).end();
      return;
    }
    const answered = await edge.app.request(url + request.url!, {
      method,
      headers: Object.entries(headers).flatMap(([name, value]): [string, string][] =>
        name === "connection" || name === "transfer-encoding" || value === undefined
          ? []
          : [[name, String(value)]],
      ),
      ...(method === "GET" || isPreflight ? {} : { body: new Uint8Array(Buffer.concat(chunks)) }),
    });
    const bytes = new Uint8Array(await answered.arrayBuffer());
    if (!isPreflight) requests.push({ method, path, status: fault === "cut" ? 0 : answered.status });
    if (fault === "cut") request.socket.destroy();
    else response.writeHead(answered.status, Object.fromEntries(answered.headers)).end(bytes);
  }
}
