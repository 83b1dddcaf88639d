// The route of the audit, and its part of the API's description.
import type { Hono } from "hono";
import { z } from "zod";
import type { Clock } from "../../shared/clock.ts";
import { inSnapshot, iso, readParameters } from "../read/answer.ts";
import { auditParameters, auditRow, listAudit } from "../read/audit.ts";
import type { Store } from "../store/store.ts";
import type { Ask } from "./ask.ts";

/** Adds the route; who may ask was checked before. */
export function addAudit(app: Hono, { store, clock }: { store: Store; clock: Clock }, ask: Ask): void {
  app.get("/v1/audit", async (context) => {
    const asked = readParameters(auditParameters, context.req.queries());
    const run = () =>
      inSnapshot(store.sql, async (tx) => {
        const { rows, next } = await listAudit(tx, asked);
        return { data: rows, meta: { as_of: iso(clock.now()), next } };
      });
    return context.json(await ask("audit", new URL(context.req.url).search, run));
  });
}

/** How the description tells of it. */
export const describedAudit = {
  name: "audit",
  summary:
    "What was done with what is kept: retries, discards, erasures, retention, replays; the newest first",
  parameters: auditParameters,
  row: auditRow,
};

export const auditMeta = z.toJSONSchema(
  z.object({ as_of: z.iso.datetime(), next: z.string().nullable().describe("Cursor of the next page") }),
);
