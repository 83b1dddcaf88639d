// The edge on Node, 22.18 or later.
import { createHmac, hash as digestOf } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve as listen } from "@hono/node-server";
import { digestBytes, type Hash } from "../../shared/event/hash.ts";
import type { MacOf } from "../../shared/wire/signature.ts";
import type { EdgeApp } from "../client.ts";
import type { ReadClient } from "../proxies.ts";

export { pooledFetch as fetch } from "./undici.ts";

const lingerMs = 1_000;

/** Node's one-shot SHA-256, ten times as fast as its WebCrypto. */
export const hash: Hash = (texts) => {
  const digests = new Uint8Array(texts.length * digestBytes);
  for (const [at, text] of texts.entries()) digests.set(digestOf("sha256", text, "buffer"), at * digestBytes);
  return digests;
};

export const macOf: MacOf = (secret) => (head, body) =>
  createHmac("sha256", secret).update(head).update(body).digest();

/** Listens; port 0 takes a free one. `close` lets answers under way out, then cuts who still lingers. */
export async function serve(app: EdgeApp, address: { host: string; port: number }, read: ReadClient) {
  const fetch = (request: Request, { incoming }: { incoming: IncomingMessage }) =>
    app.fetch(request, { client: read(request.headers, incoming.socket.remoteAddress) });
  const server = listen({ fetch: fetch as never, hostname: address.host, port: address.port }) as Server;
  await once(server, "listening");
  const { family, address: host, port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      setTimeout(() => server.closeAllConnections(), lingerMs);
    });
  return { url: `http://${family === "IPv6" ? `[${host}]` : host}:${port}`, close };
}
