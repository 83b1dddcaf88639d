// The route of the audit, and its part of the API's description.
import type { Hono } from "hono";
import type { TransactionSql } from "postgres";
import { z } from "zod";
import type { Clock } from "../../shared/clock.ts";
import { inSnapshot, iso, readParameters } from "../read/answer.ts";
import { auditParameters, auditRow, listAudit } from "../read/audit.ts";
import { cursorOf, writeCursor } from "../read/cursor.ts";
import type { Store } from "../store/store.ts";
import type { Ask } from "./ask.ts";
import { formedJson } from "./formed.ts";

const rowNumber = z.string().regex(/^[1-9]\d{0,17}$/);
const parameters = auditParameters.extend({ cursor: cursorOf(z.tuple([rowNumber])) });

/** Adds the route; who may ask was checked before. */
export function addAudit(app: Hono, { store, clock }: { store: Store; clock: Clock }, ask: Ask): void {
  app.get("/v1/audit", async (context) => {
    const asked = readParameters(parameters, context.req.queries());
    const work = async (tx: TransactionSql) => {
      const { rows, next } = await listAudit(tx, { ...asked, cursor: asked.cursor?.[0] });
      const next_cursor = next === null ? null : writeCursor([next]);
      return { data: rows, meta: { as_of: iso(clock.now()), next_cursor } };
    };
    const run = (signal: AbortSignal) => inSnapshot(store.sql, work, signal);
    const { url, signal } = context.req.raw;
    return formedJson(context, await ask("audit", new URL(url).search, run, signal), "no-store");
  });
}

/** How the description tells of it. */
export const describedAudit = {
  name: "audit",
  summary:
    "What was done with what is kept: retries, discards, erasures, retention, replays; the newest first",
  parameters,
  row: auditRow,
};

export const auditMeta = z.toJSONSchema(
  z.object({ as_of: z.iso.datetime(), next_cursor: z.string().nullable().describe("Of the next page") }),
);
