// The edge's buffer on Cloudflare: one Durable Object keeps batches while the collector is away, and brings them to it.
import { systemClock } from "../../shared/clock.ts";
import { createLogger } from "../../shared/telemetry/logger.ts";
import { createObjectBuffer, type ObjectBuffer } from "../buffer/object-buffer.ts";
import type { ObjectStorage } from "../buffer/object-storage.ts";
import { bufferSettings } from "../hosted.ts";

/** Named by `durable_objects` in wrangler.jsonc; the Worker alone reaches it. */
export class WeirBuffer {
  readonly #buffer: ObjectBuffer;
  constructor({ storage }: { storage: ObjectStorage }, env: Readonly<Record<string, unknown>>) {
    const logger = createLogger({ process: "edge" });
    this.#buffer = createObjectBuffer({
      storage,
      clock: systemClock,
      logger,
      ...bufferSettings(env, logger),
    });
  }

  async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/state") return Response.json(this.#buffer.state());
    if (pathname === "/list") return Response.json(this.#buffer.list(Number(searchParams.get("after"))));
    const isKept = await this.#buffer.put(new Uint8Array(await request.arrayBuffer()));
    return new Response(null, { status: isKept ? 201 : 507 });
  }

  alarm(): Promise<void> {
    return this.#buffer.drain();
  }
}
