// The edge on Deno: a server of its own, or the object with `fetch` that Deno Deploy and `deno serve` take.
import * as z from "zod/mini";
import en from "zod/v4/locales/en.js";
import { systemClock } from "../../shared/clock.ts";
import { plainHash } from "../../shared/event/sha256.ts";
import { createLogger } from "../../shared/telemetry/logger.ts";
import type { EdgeApp } from "../client.ts";
import { createHosted } from "../hosted.ts";
import { clientReader, type ReadClient } from "../proxies.ts";

const lingerMs = 1_000;

/** In plain arithmetic: a quarter of what Deno's node:crypto takes, a tenth of its WebCrypto. */
export const hash = plainHash;
export const { fetch } = globalThis;
export { webCryptoMac as macOf } from "../../shared/wire/signature.ts";

/** Listens; port 0 takes a free one. `close` lets answers under way out, then cuts who still lingers. */
export async function serve(app: EdgeApp, address: { host: string; port: number }, read: ReadClient) {
  const stop = new AbortController();
  const server = Deno.serve(
    { hostname: address.host, port: address.port, signal: stop.signal, onListen() {} },
    (request, { remoteAddr }) => app.fetch(request, { client: read(request.headers, remoteAddr.hostname) }),
  );
  const close = async (): Promise<void> => {
    const ended = server.shutdown().then(() => true);
    if ((await Promise.race([ended, systemClock.sleep(lingerMs)])) !== true) stop.abort();
  };
  return { url: `http://${server.addr.hostname}:${server.addr.port}`, close };
}

// The sentences of a fault, which zod/mini leaves out.
z.config(en());

const hosted = createHosted({
  settings: () => Deno.env.toObject(),
  hash,
  logger: createLogger({ process: "edge" }),
  reader: clientReader,
  groupCommit: true,
});

export default {
  fetch: (request: Request, { remoteAddr }: DenoServeInfo) =>
    hosted.fetch(request, { sender: remoteAddr.hostname, waitUntil: () => undefined }),
};

interface DenoServeInfo {
  remoteAddr: { hostname: string; port: number };
}

declare const Deno: {
  env: { toObject(): Record<string, string> };
  serve(
    options: { hostname: string; port: number; signal: AbortSignal; onListen(): void },
    handler: (request: Request, info: DenoServeInfo) => Response | Promise<Response>,
  ): { addr: { hostname: string; port: number }; shutdown(): Promise<void> };
};
