// The edge's routes: the same on every runtime, and nothing but HTTP around the pipeline.
import type { Context, Hono } from "hono";
import { HonoBase } from "hono/hono-base";
import { RegExpRouter } from "hono/router/reg-exp-router";
import { problemResponse, toProblem, WeirError } from "../shared/problem.ts";
import { unrouted } from "../shared/wire/method.ts";
import { type Accept, type AcceptDeps, createAccept } from "./accept.ts";
import { beaconResponse } from "./beacon/serve.ts";
import { createReadBody } from "./body.ts";
import type { ClientFacts, EdgeBindings } from "./client.ts";
import { crossOrigin, type OriginVariables } from "./cross-origin.ts";
import type { Asked, Door, Intake } from "./dialect/door.ts";
import { doors as allDoors } from "./dialect/doors.ts";
import { createGate, type GateDeps, headerKey, optsOut } from "./gate.ts";
import { receiptOf } from "./receipt.ts";
import { requestIdOf, traceparentOf } from "./trace.ts";

export interface EdgeDeps extends AcceptDeps, GateDeps {
  /** Everything measured, in Prometheus' text format; without it /metrics is not there. */
  exposition?: (() => string) | undefined;
  /** The pipeline, where others use it too; made here otherwise. */
  accept?: Accept | undefined;
  /** Who is let in by which paths; every client without it. */
  doors?: readonly Door[] | undefined;
}

type EdgeEnv = { Bindings: EdgeBindings; Variables: OriginVariables };
type EdgeContext = Context<EdgeEnv>;

export function createEdge(deps: EdgeDeps): Hono<EdgeEnv> {
  const gate = createGate(deps);
  const readBody = createReadBody();
  const accept =
    deps.accept ?? createAccept({ ...deps, policyOf: deps.keys.policyOf, renewPolicies: deps.keys.renew });
  const doors = deps.doors ?? allDoors;
  // Its one fast router: the others that Hono chooses from are for paths that are not ours.
  const app: Hono<EdgeEnv> = new HonoBase<EdgeEnv>({ router: new RegExpRouter() });
  for (const door of doors) {
    const middleware = crossOrigin(door.credentials ?? false);
    for (const { path } of [...door.intakes, ...(door.asides ?? [])]) app.use(path, middleware);
  }
  for (const door of doors) {
    for (const { method, path, answer } of door.asides ?? []) {
      app.on(method, path, ({ req, env }) =>
        answer(req.raw, req.param(), () => readBody(req.raw), env?.client),
      );
    }
    for (const intake of door.intakes) {
      app.on(intake.method, intake.path, (context) => receive(context, door, intake));
    }
  }
  app.get("/weir.js", (context) => beaconResponse(context.req.raw));
  app.get("/livez", (context) => context.text("ok\n"));
  app.get("/readyz", async (context) => {
    try {
      if (!accept.isOpen()) throw new WeirError("shutting_down", "This edge is ending.");
      await Promise.all([deps.collector.ready(), deps.keys.ready()]);
      // Told, and no reason to refuse: what is taken here is durable, whether it is stored by now or not.
      const age = freshSeconds(deps);
      return context.text(
        age === null ? "ok\n" : `ok, the newest canary stored is ${age.toFixed(1)} s old\n`,
      );
    } catch (error) {
      return problemResponse(error instanceof WeirError ? error : notReady);
    }
  });
  const { exposition } = deps;
  if (exposition !== undefined) {
    app.get("/metrics", () => {
      const age = freshSeconds(deps);
      if (age !== null) deps.meter.set("weir.edge.freshness.age", age);
      return new Response(exposition(), { headers: { "content-type": metricsType } });
    });
  }
  app.notFound(({ req }) => unrouted(app, req.path));
  app.onError((error) => {
    deps.logger.error("request_failed", { error: String(error) });
    return problemResponse(error);
  });
  return app;

  async function receive(context: EdgeContext, door: Door, intake: Intake): Promise<Response> {
    const receivedAt = deps.clock.now();
    const request = context.req.raw;
    const requestId = requestIdOf(request.headers.get("x-request-id"), deps.clock);
    let events = 0;
    let code = "ok";
    try {
      const named = headerKey(request.headers.get("authorization"));
      const known = named === undefined ? undefined : await gate.identify(named);
      const body = request.method === "GET" ? new Uint8Array() : await readBody(request);
      const url = new URL(request.url);
      const asked: Asked = {
        request,
        url,
        params: context.req.param(),
        body,
        receivedAt,
        client: context.env?.client,
      };
      const decoded = intake.read(asked);
      events = decoded.events.length;
      const key = known ?? (await gate.identify(decoded.writeKey, decoded.alias));
      context.set("isForeign", true);
      gate.checkOrigin(key, request.headers.get("origin"));
      context.set("isForeign", false);
      if (events === 0) throw new WeirError("body_malformed", "The request holds no event.");
      gate.admit(key, events);
      const accepted = await accept.submit({
        ...decoded,
        project: key.project,
        rights: key.rights,
        dialect: door.dialect,
        receivedAt,
        requestId,
        traceparent: traceparentOf(request.headers.get("traceparent")),
        client: clientOf(context, decoded.isPlaceless),
        optsOut: optsOut(request.headers),
      });
      if (intake.afterwards !== undefined) outlive(context, intake.afterwards(asked));
      return intake.answer(receiptOf(accepted, requestId, deps.meter), asked);
    } catch (error) {
      const problem = toProblem(error);
      code = problem.code;
      if (problem.status === 503) deps.meter.count("weir.edge.events", events, unavailable);
      if (!(error instanceof WeirError)) {
        deps.logger.error("request_failed", { request_id: requestId, error: String(error) });
      }
      return (intake.refuse ?? problemResponse)(error, requestId);
    } finally {
      deps.meter.count("weir.edge.requests", 1, { "weir.code": code });
      const seconds = (deps.clock.now() - receivedAt) / 1000;
      deps.meter.record("weir.edge.request.duration", seconds, { "weir.code": code });
    }
  }
}

function clientOf({ env }: EdgeContext, isPlaceless = false): ClientFacts {
  const { ip: _, country: _1, city: _2, ...rest } = env?.client ?? {};
  return isPlaceless ? rest : (env?.client ?? {});
}

function outlive(context: EdgeContext, work: Promise<void>): void {
  const guarded = work.catch(() => undefined);
  context.env?.waitUntil?.(guarded);
}

/** As old as the newest stored canary of any edge was at the last look at the keys, and that look's own age. */
function freshSeconds({ keys, clock }: EdgeDeps): number | null {
  const sentAt = keys.newestCanaryAt?.() ?? null;
  return sentAt === null ? null : Math.max(0, clock.now() - sentAt) / 1000;
}

const metricsType = "text/plain; version=0.0.4; charset=utf-8";
const notReady = new WeirError("not_ready", "This process is not ready.");
const unavailable = { "weir.outcome": "refused_unavailable" } as const;
