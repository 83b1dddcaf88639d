// The edge on Node: holds the vectors, then serves one request of every kind over HTTP. Prints one JSON object.

import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { hash, serve } from "../../edge/adapter/node.ts";
import { createEdge } from "../../edge/app.ts";
import { fixedKeys } from "../../edge/keys.ts";
import { systemClock } from "../../shared/clock.ts";
import { toHex } from "../../shared/event/bytes.ts";
import { webCryptoHash } from "../../shared/event/hash.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { type Batch, packBatch, unpackBatch } from "../../shared/wire/batch.ts";
import { pack } from "../../shared/wire/msgpack.ts";
import { unpackEvent } from "../../shared/wire/packed-event.ts";
import { checkVectors, type Vectors } from "../vectors/check.ts";

const vectors = JSON.parse(
  readFileSync(new URL("../vectors/identity.json", import.meta.url), "utf8"),
) as Vectors;
const wrong: string[] = [];
let checked = 0;
for (const port of [hash, webCryptoHash]) {
  for (const { name, made, expected } of await checkVectors(vectors, port)) {
    checked += 1;
    if (JSON.stringify(made) !== JSON.stringify(expected)) wrong.push(name);
  }
}

const batches: Batch[] = [];
const key = "wk_node";
const app = createEdge({
  name: "node",
  collector: {
    async send(batch) {
      // Through its bytes, as over HTTP.
      batches.push(unpackBatch(packBatch(batch)));
      return { batchId: batch.batchId, outcomes: new Uint8Array(batch.count) };
    },
    ready: async () => undefined,
    close: async () => undefined,
  },
  keys: fixedKeys([{ hash: toHex(await hash([key])), project: "shop", rights: [] }]),
  clock: systemClock,
  hash,
  meter: silentMeter,
  logger: silentLogger,
  rateEventsPerSecond: 1e6,
});
const server = await serve(app, { host: "127.0.0.1", port: 0 });
const event = {
  event_id: "n-1",
  type: "page_view",
  timestamp: Date.now(),
  payload: { text: "é😀", revenue: 1.5 },
};
const send = async (body: BodyInit, headers: Record<string, string>): Promise<number> => {
  const response = await fetch(`${server.url}/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, ...headers },
    body,
    duplex: "half",
  } as RequestInit);
  await response.arrayBuffer();
  return response.status;
};
const json = JSON.stringify([event]);
const chunk = new Uint8Array(64 * 1024).fill(0x20);
let pulled = 0;
const endless = new ReadableStream<Uint8Array>({
  pull(controller) {
    pulled += chunk.length;
    if (pulled > 1024 ** 3) controller.close();
    else controller.enqueue(chunk);
  },
});
const statuses = {
  json: await send(json, { "content-type": "application/json" }),
  gzip: await send(gzipSync(json), { "content-encoding": "gzip" }),
  msgpack: await send(pack([event]) as BodyInit, { "content-type": "application/msgpack" }),
  bomb: await send(gzipSync(new Uint8Array(1024 ** 2 * 20)), { "content-encoding": "gzip" }),
  // The server answers while the body still comes, and may end the connection before the client reads it.
  endless: await send(endless, {}).catch(() => 413),
};
await server.close();
const events = batches.map((batch) => unpackEvent(batch.bodies));
process.stdout.write(
  `${JSON.stringify({ node: process.versions.node, checked, wrong, statuses, pulled, events, ids: batches.map(({ ids }) => toHex(ids)) })}\n`,
);
