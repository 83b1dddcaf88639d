// The edge on Bun.
import { systemClock } from "../../shared/clock.ts";
import { digestBytes, type Hash } from "../../shared/event/hash.ts";
import type { MacOf } from "../../shared/wire/signature.ts";
import type { EdgeApp } from "../client.ts";
import type { ReadClient } from "../proxies.ts";

export const { fetch } = globalThis;

const lingerMs = 1_000;
const digest = new Uint8Array(digestBytes);

/** Bun's own SHA-256, several times as fast as its WebCrypto. */
export const hash: Hash = (texts) => {
  const digests = new Uint8Array(texts.length * digestBytes);
  texts.forEach(
    (text, at) => void digests.set(Bun.SHA256.hash(text, digest) as Uint8Array, at * digestBytes),
  );
  return digests;
};

/** Two thirds of what WebCrypto's promises and copies take. */
export const macOf: MacOf = (secret) => (head, body) =>
  new Bun.CryptoHasher("sha256", secret).update(head).update(body).digest();

/** Listens; port 0 takes a free one. `close` lets answers under way out, then cuts who still lingers. */
export async function serve(app: EdgeApp, address: { host: string; port: number }, read: ReadClient) {
  const server = Bun.serve({
    hostname: address.host,
    port: address.port,
    // The gate bounds bodies itself and answers with a problem; the server's own bound would only cut.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    fetch: (request, self) =>
      app.fetch(request, { client: read(request.headers, self.requestIP(request)?.address) }),
  });
  const close = async (): Promise<void> => {
    await Promise.race([server.stop(), systemClock.sleep(lingerMs)]);
    await server.stop(true);
  };
  return { url: server.url.origin, close };
}
