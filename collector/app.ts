// The collector's routes: nothing but HTTP around the pipeline.
import { Hono } from "hono";
import type { Clock } from "../shared/clock.ts";
import type { Logger } from "../shared/logger.ts";
import { problemResponse, WeirError } from "../shared/problem.ts";
import type { CollectorPort } from "../shared/wire/batch.ts";
import { unrouted } from "../shared/wire/method.ts";
import { pack } from "../shared/wire/msgpack.ts";
import type { Signer } from "../shared/wire/signature.ts";
import { authenticate } from "./authenticate.ts";

export interface CollectorDeps {
  /** The same hop that an edge in this process uses. */
  port: CollectorPort;
  signer: Signer;
  clock: Clock;
  logger: Logger;
  /** Whether the claims are asked, or batches go on unchecked; told at /readyz, and no reason to fail it. */
  claimsState: () => "closed" | "open";
  /** Everything measured, in Prometheus' text format; without it /metrics is not there. */
  exposition?: (() => string) | undefined;
}

export function createCollectorApp(deps: CollectorDeps): Hono {
  const { port, exposition } = deps;
  const app = new Hono();
  app.post("/v1/batches", async (context) => {
    const batch = await authenticate(context.req.raw, deps.signer, deps.clock);
    const { batchId, outcomes, spooled } = await port.send(batch);
    return new Response(
      pack(spooled === true ? [batchId, outcomes, true] : [batchId, outcomes]) as Uint8Array<ArrayBuffer>,
      {
        headers: { "content-type": "application/msgpack" },
      },
    );
  });
  app.get("/livez", (context) => context.text("ok\n"));
  app.get("/readyz", async (context) => {
    await port.ready();
    return context.text(deps.claimsState() === "closed" ? "ok\n" : "ok, claims unchecked\n");
  });
  if (exposition !== undefined) {
    app.get("/metrics", () => new Response(exposition(), { headers: { "content-type": metricsType } }));
  }
  app.notFound(({ req }) => unrouted(app, req.path));
  app.onError((error, context) => {
    if (!(error instanceof WeirError)) deps.logger.error("request_failed", { error: String(error) });
    const named = context.req.header("x-request-id");
    return problemResponse(error, named !== undefined && /^[\w.:-]{1,128}$/.test(named) ? named : undefined);
  });
  return app;
}

/** The content type of Prometheus' text format, 0.0.4. */
const metricsType = "text/plain; version=0.0.4; charset=utf-8";
