// An edge, ledger and store in memory behind real HTTP: it can lose answers, refuse, and limit the rate.
import { randomUUID } from "node:crypto";
import { type LedgerOutcomes, noOutcomes } from "../../../edge/command/import-outcomes.ts";
import type { VerifyDeps } from "../../../edge/command/load-verify.ts";
import { systemClock } from "../../../shared/clock.ts";
import { toUuid } from "../../../shared/event/bytes.ts";

/** `lost`: taken, and the answer never comes. `unknown`: a 503 after it was taken. `refused`: a 503 before. */
export type Fate = "told" | "lost" | "unknown" | "refused" | "limited";

export interface SmallEdge {
  url: string;
  /** Rows by client id. */
  rows: Map<string, number>;
  ledger: Map<string, LedgerOutcomes>;
  verifyDeps: VerifyDeps;
  close(): Promise<void>;
}

interface SentEvent {
  event_id?: unknown;
  type?: unknown;
  payload?: unknown;
  timestamp?: unknown;
}

/** `shared` puts that many requests after one another into one batch, as group commit does. */
export function startSmallEdge(fate: (request: number) => Fate = () => "told", shared = 1): SmallEdge {
  const rows = new Map<string, number>();
  const refusedIds = new Set<string>();
  const ledger = new Map<string, LedgerOutcomes>();
  let requests = 0;
  let batchId = "";

  function take(events: readonly SentEvent[]): Record<string, unknown> {
    if (requests % shared === 0 || batchId === "") batchId = randomUUID();
    const row = ledger.get(batchId) ?? { ...noOutcomes(), known: 1 };
    ledger.set(batchId, row);
    let quarantined = 0;
    for (const event of events) {
      const id = String(event.event_id);
      const isBad =
        !("type" in event) || typeof event.payload === "string" || !/Z$/.test(String(event.timestamp));
      quarantined += isBad ? 1 : 0;
      row.received += 1;
      if (isBad ? refusedIds.has(id) : rows.has(id)) row.duplicate += 1;
      else if (isBad) {
        refusedIds.add(id);
        row.quarantined += 1;
      } else {
        rows.set(id, 1);
        row.stored += 1;
      }
    }
    return {
      batch_id: batchId,
      received: events.length,
      accepted: events.length - quarantined,
      duplicate: 0,
      quarantined,
      errors: [],
    };
  }

  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const happens = fate(requests);
      const body = (await request.json()) as { events: SentEvent[] };
      if (request.headers.get("authorization") !== "Bearer wk_right")
        return problem(401, "unknown_write_key");
      requests += 1;
      if (happens === "limited") return problem(429, "rate_limited");
      if (happens === "refused") return problem(503, "not_ready");
      const answer = take(body.events);
      if (happens === "unknown") return problem(503, "log_unavailable");
      if (happens === "lost") return new Response("cut off", { status: 502 });
      return Response.json(answer, { status: 202 });
    },
  });

  return {
    url: `http://127.0.0.1:${server.port}`,
    rows,
    ledger,
    verifyDeps: {
      clock: systemClock,
      reconcile: async () => ({ ok: true }),
      async countStored(lots) {
        const count = { ids: 0, rows: 0 };
        for (const id of [...lots].flat()) {
          count.ids += rows.has(id) ? 1 : 0;
          count.rows += rows.get(id) ?? 0;
        }
        return count;
      },
      async outcomesOf(batchIds) {
        const sums = noOutcomes();
        for (const id of batchIds) {
          const row = ledger.get(toUuid(id));
          for (const name of Object.keys(sums) as (keyof LedgerOutcomes)[]) sums[name] += row?.[name] ?? 0;
        }
        return sums;
      },
    },
    close: () => server.stop(true),
  };
}

const problem = (status: number, code: string): Response =>
  Response.json({ status, code }, { status, headers: { "retry-after": "0" } });
