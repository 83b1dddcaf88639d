// The routes of the quarantine: what lies there, one event whole, and the two that change something.
import type { Hono } from "hono";
import type { TransactionSql } from "postgres";
import type { z } from "zod";
import type { Clock } from "../../shared/clock.ts";
import type { Meter } from "../../shared/meter.ts";
import { WeirError } from "../../shared/problem.ts";
import type { Reenter } from "../../shared/wire/reentry.ts";
import { discardRows } from "../quarantine/discard.ts";
import { retryRows } from "../quarantine/retry.ts";
import { isRecordId, rowId } from "../quarantine/selection.ts";
import { asProblem, bounded, inSnapshot, iso, readParameters } from "../read/answer.ts";
import { writeCursor } from "../read/cursor.ts";
import { listQuarantine, showQuarantined, sumQuarantine } from "../read/quarantine.ts";
import { sumRecords } from "../read/quarantine-records.ts";
import { discardBody, quarantineParameters, retryBody } from "../read/quarantine-schema.ts";
import type { Store } from "../store/store.ts";
import { actorOf } from "./admit.ts";
import type { Ask } from "./ask.ts";
import { formedJson } from "./formed.ts";

export interface QuarantineRoutes {
  store: Store;
  clock: Clock;
  meter: Meter;
  /** The way back in; without it a retry is not possible here. */
  reenter?: Reenter | undefined;
}

/** How long a retry waits for the ledger; what is not there by then is answered as pending. */
const waitMs = 5_000;
/** Rows of one request, so that its answer comes in time; asked again it takes the next. */
const rowsMax = 500;
const bodyBytesMax = 64 * 1024;

/** Adds the routes; who may ask was checked before. */
export function addQuarantine(app: Hono, { store, clock, meter, reenter }: QuarantineRoutes, ask: Ask): void {
  app.get("/v1/quarantine", async (context) => {
    const { limit, cursor, ...selection } = readParameters(quarantineParameters, context.req.queries());
    const work = async (tx: TransactionSql) => {
      const { rows, next } = await listQuarantine(tx, selection, limit, cursor?.[0]);
      const sums = await sumQuarantine(tx, selection);
      const records = await sumRecords(tx);
      const next_cursor = next === null ? null : writeCursor([next]);
      return { data: rows, meta: { as_of: iso(clock.now()), next_cursor, sums, records } };
    };
    const run = (signal: AbortSignal) => inSnapshot(store.sql, work, signal);
    const { url, signal } = context.req.raw;
    return formedJson(context, await ask("quarantine", new URL(url).search, run, signal), "no-store");
  });
  app.get("/v1/quarantine/:id", async (context) => {
    const id = context.req.param("id");
    const isId = rowId.safeParse(id).success;
    const run = (signal: AbortSignal) => inSnapshot(store.sql, (tx) => showQuarantined(tx, id), signal);
    const event = isId ? await ask("quarantine", `/${id}`, run, context.req.raw.signal) : undefined;
    if (event === undefined) throw new WeirError("not_found", "There is no such event in quarantine.");
    return context.json({ data: event, meta: { as_of: iso(clock.now()) } });
  });
  app.post("/v1/quarantine/retry", async (context) => {
    const { as_new: asNew, all: _, ...selection } = await readBody(context.req.raw, retryBody);
    // Records kept whole are written from here, and need no way back in.
    if (reenter === undefined && selection.ids?.every(isRecordId) !== true) throw noWayIn;
    const options = { store, reenter, clock, meter, waitMs, rowsMax };
    // As long as a collector is tried, and the ledger waited for: longer than a question may take.
    const run = () => named(retryRows(options, { selection, asNew, actor: actorOf(context) }));
    return context.json(await ask("quarantine_retry", crypto.randomUUID(), run));
  });
  app.post("/v1/quarantine/discard", async (context) => {
    const { why, all: _, ...selection } = await readBody(context.req.raw, discardBody);
    const run = () => bounded(discardRows(store, { selection, why, actor: actorOf(context) }));
    return context.json(await ask("quarantine_discard", crypto.randomUUID(), run));
  });
}

const noWayIn = new WeirError(
  "not_ready",
  "This aggregator knows no collector; set WEIR_COLLECTOR_URL and WEIR_EDGE_SECRET, or use weir quarantine retry.",
);

async function named<Value>(work: Promise<Value>): Promise<Value> {
  try {
    return await work;
  } catch (error) {
    throw asProblem(error);
  }
}

async function readBody<Schema extends z.ZodType>(
  request: Request,
  schema: Schema,
): Promise<z.output<Schema>> {
  const bytes = await request.arrayBuffer();
  if (bytes.byteLength > bodyBytesMax) throw new WeirError("body_too_large", "The body is over 64 KiB.");
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new WeirError("body_malformed", "The body is no JSON.");
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`);
  throw new WeirError("body_malformed", faults.join("; "));
}
