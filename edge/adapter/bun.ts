// The edge on Bun.
import type { Hono } from "hono";
import { digestBytes, type Hash } from "../../shared/event/hash.ts";

const digest = new Uint8Array(digestBytes);

/** Bun's own SHA-256, several times as fast as its WebCrypto. */
export const hash: Hash = (texts) => {
  const digests = new Uint8Array(texts.length * digestBytes);
  for (let at = 0; at < texts.length; at += 1)
    digests.set(Bun.SHA256.hash(texts[at]!, digest) as Uint8Array, at * digestBytes);
  return digests;
};

/** Listens; port 0 takes a free one. `close` ends after the answers under way. */
export async function serve(app: Hono, address: { host: string; port: number }) {
  const server = Bun.serve({
    hostname: address.host,
    port: address.port,
    // The gate bounds bodies itself and answers with a problem; the server's own bound would only cut.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch: (request) => app.fetch(request),
  });
  return { url: server.url.origin, close: () => server.stop() };
}
