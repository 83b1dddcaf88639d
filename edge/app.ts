// The edge's routes: the same on every runtime, and nothing but HTTP around the pipeline.
import { Hono } from "hono";
import { cors } from "hono/cors";
import { toUuid } from "../shared/event/bytes.ts";
import { requestEventsMax } from "../shared/limits.ts";
import { problemResponse, toProblem, WeirError } from "../shared/problem.ts";
import { isPublished, outcome } from "../shared/wire/batch.ts";
import { type Accept, type AcceptDeps, type Accepted, createAccept } from "./accept.ts";
import { createReadBody } from "./body.ts";
import { decode, formatOf } from "./decode.ts";
import type { Dialect } from "./dialect/dialect.ts";
import { growthEvent } from "./dialect/growth-event.ts";
import { native } from "./dialect/native.ts";
import { createGate, type GateDeps, headerKey } from "./gate.ts";
import { requestIdOf, traceparentOf } from "./trace.ts";

export interface EdgeDeps extends AcceptDeps, GateDeps {
  /** Everything measured, in Prometheus' text format; without it /metrics is not there. */
  exposition?: (() => string) | undefined;
  /** The pipeline, where others use it too; made here otherwise. */
  accept?: Accept | undefined;
}

/** Each dialect at its clients' own path. */
const paths: readonly (readonly [path: string, dialect: Dialect])[] = [
  ["/v1/events", native],
  ["/v1/growth-events", growthEvent],
];

export function createEdge(deps: EdgeDeps): Hono {
  const gate = createGate(deps);
  const readBody = createReadBody();
  const accept = deps.accept ?? createAccept(deps);
  const app = new Hono();
  // Any page may send, since the write key decides; no cookie is read, so none is allowed for.
  app.use(
    "/v1/*",
    cors({
      origin: (origin) => origin,
      allowMethods: ["POST"],
      allowHeaders: ["authorization", "content-type", "content-encoding", "x-request-id", "traceparent"],
      exposeHeaders: ["x-request-id", "retry-after"],
      maxAge: 86_400,
    }),
  );
  for (const [path, dialect] of paths) {
    app.post(path, (context) => receive(context.req.raw, dialect));
    app.all(path, () => refuse(new WeirError("method_not_allowed", `${path} takes POST.`), undefined));
  }
  app.get("/livez", (context) => context.text("ok\n"));
  app.get("/readyz", async (context) => {
    try {
      if (!accept.isOpen()) throw new WeirError("shutting_down", "This edge is ending.");
      await Promise.all([deps.collector.ready(), deps.keys.ready()]);
      return context.text("ok\n");
    } catch (error) {
      return problemResponse(error instanceof WeirError ? error : notReady);
    }
  });
  const { exposition } = deps;
  if (exposition !== undefined) {
    app.get("/metrics", () => new Response(exposition(), { headers: { "content-type": metricsType } }));
  }
  app.notFound(() => problemResponse(new WeirError("not_found", "The edge has no such path.")));
  app.onError((error) => {
    deps.logger.error("request_failed", { error: String(error) });
    return problemResponse(error);
  });
  return app;

  async function receive(request: Request, dialect: Dialect): Promise<Response> {
    const receivedAt = deps.clock.now();
    const requestId = requestIdOf(request.headers.get("x-request-id"), deps.clock);
    let events = 0;
    let code = "ok";
    try {
      const named = headerKey(request.headers.get("authorization"));
      const known = named === undefined ? undefined : await gate.identify(named);
      const body = await readBody(request);
      const decoded = decode(body, formatOf(request.headers.get("content-type")), requestEventsMax);
      events = decoded.events.length;
      const key = known ?? (await gate.identify(decoded.writeKey));
      if (events === 0) throw new WeirError("body_malformed", "The request holds no event.");
      gate.admit(key, events);
      const traceparent = traceparentOf(request.headers.get("traceparent"));
      const { project, rights } = key;
      const accepted = await accept.submit({
        ...decoded,
        project,
        rights,
        dialect,
        receivedAt,
        requestId,
        traceparent,
      });
      return answer(accepted, requestId);
    } catch (error) {
      code = toProblem(error).code;
      if (toProblem(error).status === 503) deps.meter.count("weir.edge.events", events, unavailable);
      return refuse(error, requestId);
    } finally {
      deps.meter.count("weir.edge.requests", 1, { "weir.code": code });
      const seconds = (deps.clock.now() - receivedAt) / 1000;
      deps.meter.record("weir.edge.request.duration", seconds, { "weir.code": code });
    }
  }

  function refuse(error: unknown, requestId: string | undefined): Response {
    if (!(error instanceof WeirError)) {
      deps.logger.error("request_failed", { request_id: requestId, error: String(error) });
    }
    return problemResponse(error, requestId);
  }

  function answer(accepted: Accepted, requestId: string): Response {
    let published = 0;
    let duplicate = 0;
    let quarantined = 0;
    for (const { outcomes } of accepted.parts) {
      for (const found of outcomes) {
        if (isPublished(found)) published += 1;
        else if (found === outcome.duplicate) duplicate += 1;
        else quarantined += 1;
      }
    }
    deps.meter.count("weir.edge.events", published, { "weir.outcome": "accepted" });
    if (duplicate > 0) deps.meter.count("weir.edge.events", duplicate, { "weir.outcome": "duplicate" });
    if (quarantined > 0) deps.meter.count("weir.edge.events", quarantined, { "weir.outcome": "quarantined" });
    const batchIds = accepted.parts.map(({ batchId }) => toUuid(batchId));
    const body = {
      batch_id: batchIds[0],
      ...(batchIds.length > 1 ? { batch_ids: batchIds } : {}),
      received: published + duplicate + quarantined,
      accepted: published,
      duplicate,
      quarantined,
      errors: accepted.errors,
    };
    return Response.json(body, { status: 202, headers: { "x-request-id": requestId } });
  }
}

const metricsType = "text/plain; version=0.0.4; charset=utf-8";
const notReady = new WeirError("not_ready", "What the edge stands on is not ready.");
const unavailable = { "weir.outcome": "refused_unavailable" } as const;
