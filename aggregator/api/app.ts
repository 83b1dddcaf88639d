// The aggregator's routes: questions, keys for edges, health, and the dashboard.
import { Hono } from "hono";
import type { Clock } from "../../shared/clock.ts";
import type { LogReader } from "../../shared/log/log.ts";
import type { Logger } from "../../shared/logger.ts";
import type { Meter } from "../../shared/meter.ts";
import { problemResponse, WeirError } from "../../shared/problem.ts";
import { methodsOf, unrouted } from "../../shared/wire/method.ts";
import type { Reenter } from "../../shared/wire/reentry.ts";
import { createSigner, signatureHeader } from "../../shared/wire/signature.ts";
import { weirVersion } from "../../shared/wire/version.ts";
import { createPages } from "../dashboard/pages.ts";
import type { ProofSettings } from "../ledger/spools.ts";
import { type Answer, readParameters } from "../read/answer.ts";
import { createLedgerQuestion } from "../read/ask-ledger.ts";
import { ledgerRow } from "../read/ledger.ts";
import { askReconcile, reconcileParameters } from "../read/reconcile.ts";
import { readWriteKeys } from "../read/write-keys.ts";
import { errorText } from "../store/errors.ts";
import { type OpenReading, readStore } from "../store/replica.ts";
import type { Store } from "../store/store.ts";
import { admit } from "./admit.ts";
import { createAsk } from "./ask.ts";
import { addAudit } from "./audit.ts";
import { createFindBearer } from "./bearer.ts";
import { formed, formedJson, namesIn } from "./formed.ts";
import { createGuard } from "./guard.ts";
import { addLive } from "./live.ts";
import { describeApi } from "./openapi.ts";
import { addQuarantine } from "./quarantine.ts";
import { addQuestions } from "./questions.ts";
import { checkReady } from "./ready.ts";

export interface ApiOptions {
  store: Store;
  /** Where questions are read; the store itself by default. */
  read?: OpenReading | undefined;
  reader: LogReader;
  /** May do everything; without it loopback may, too. Tokens of the store are taken either way. */
  token?: string | undefined;
  /** Who listens beyond loopback asks for a token of the store where there is no other. */
  needsToken?: boolean | undefined;
  /** Secrets shared with edges; with none, no edge can learn its keys here. */
  edgeSecrets: readonly string[];
  clock: Clock;
  meter: Meter;
  logger: Logger;
  /** Prometheus' text; absent, /metrics is not there. */
  exposition?: (() => string) | undefined;
  /** What else must hold, such as the consumer running; rejects with the reason. */
  ready: () => Promise<unknown>;
  /** The way back in for quarantined events; without it none is retried from here. */
  reenter?: Reenter | undefined;
  /** Age of the newest stored canary; null where there is none. */
  freshSeconds?: (() => number | null) | undefined;
  version?: string | undefined;
  /** What the proof looks into besides store and log. */
  proof?: ProofSettings | undefined;
  /** Where an edge takes events, for the dashboard's first command. */
  edgeUrl?: string | undefined;
  /** Types of events that are counted as conversions. */
  conversionTypes?: readonly string[] | undefined;
  /** Ends the answers that have no end of their own. */
  ending?: AbortSignal | undefined;
}

/** Builds the application; it starts nothing and holds no connection of its own. */
export function createApi(options: ApiOptions): Hono {
  const { store, reader, clock, logger } = options;
  const app = new Hono();
  const isOpen = options.token === undefined && options.needsToken !== true;
  const guard = createGuard({ token: options.token, isOpen, findBearer: createFindBearer(store, clock) });
  const ask = createAsk(clock, options.meter);
  const signer = options.edgeSecrets.length > 0 ? createSigner(options.edgeSecrets) : undefined;
  const askLedger = createLedgerQuestion(store.sql, reader, clock);
  const pages = createPages(options.edgeUrl);
  const description = describeApi(options.version ?? weirVersion, !isOpen);

  app.onError((error, { req }) => {
    // Nobody reads it, and its statement was ended for that: no fault of the store's. A change goes on to its end.
    if (req.raw.signal.aborted && req.method !== "POST") return new Response(null, { status: hungUpStatus });
    const response = problemResponse(error);
    // What the asker is not told: the reason behind it, in the server's own words.
    if (response.status >= 500) logger.error("api_failed", { reason: reasonOf(error) });
    if (response.status === 401) response.headers.set("www-authenticate", "Bearer");
    return secured(response);
  });
  app.notFound(() => secured(problemResponse(new WeirError("not_found", "There is nothing at this path."))));
  app.use(async (context, next) => {
    const { raw, method, path } = context.req;
    guard.checkHost(raw);
    if (method !== "GET" && method !== "HEAD") {
      if (!methodsOf(app, path).includes(method)) return secured(unrouted(app, path));
      guard.checkChange(raw);
    }
    await next();
    return secured(context.res);
  });

  app.get("/v1/keys", async (context) => {
    if (signer === undefined) throw new WeirError("unauthorized", "No WEIR_EDGE_SECRET is set here.");
    const signature = context.req.header(signatureHeader) ?? null;
    await (await signer).verify(signature, new Uint8Array(), clock.now());
    const run = (gone: AbortSignal) => readWriteKeys(store.sql, gone);
    return context.json(await ask("keys", "", run, context.req.raw.signal));
  });
  admit(app, guard);
  app.get("/v1/openapi.json", (context) => context.json(description));
  addQuestions(app, options.read ?? readStore(store), ask);
  app.get("/v1/ledger", async (context) => {
    const run = (signal: AbortSignal): Promise<Answer> => askLedger(context.req.queries(), signal);
    const { url, signal } = context.req.raw;
    const found = await ask("ledger", new URL(url).search, run, signal);
    return formed(context, namesIn(ledgerRow, found), found);
  });
  app.get("/v1/reconcile", async (context) => {
    readParameters(reconcileParameters, context.req.queries());
    const run = (signal: AbortSignal) => askReconcile(store, reader, options.proof, signal);
    return formedJson(context, await ask("reconcile", "", run, context.req.raw.signal));
  });

  addQuarantine(app, options, ask);
  addAudit(app, options, ask);
  addLive(app, options, ask);

  app.get("/livez", (context) => context.json({ status: "alive" }));
  app.get("/readyz", async (context) => {
    await checkReady(store.sql, reader, options.ready);
    const age = options.freshSeconds?.() ?? null;
    return context.json({ status: "ready", ...(age === null ? {} : { newest_canary_seconds: age }) });
  });
  const { exposition } = options;
  if (exposition !== undefined) {
    const type = "text/plain; version=0.0.4; charset=utf-8";
    app.get("/metrics", (context) => context.body(exposition(), 200, { "content-type": type }));
  }
  app.get("*", async (context) => (await pages(context.req.raw)) ?? context.notFound());
  return app;
}

/** The client closed the request, as proxies name it; it has no name of its own in HTTP. */
const hungUpStatus = 499;

function reasonOf(error: unknown): string {
  if (!(error instanceof WeirError)) return errorText(error);
  return error.cause === undefined ? error.code : `${error.code}: ${errorText(error.cause)}`;
}

const securityHeaders: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

function secured(response: Response): Response {
  for (const [name, value] of Object.entries(securityHeaders)) response.headers.set(name, value);
  if (!response.headers.has("cache-control")) response.headers.set("cache-control", "no-store");
  return response;
}
