// Receipt: what became of a request's events, counted once for the answer and once for the metrics.
import { toUuid } from "../shared/event/bytes.ts";
import type { Meter } from "../shared/meter.ts";
import { isPublished, outcome } from "../shared/wire/batch.ts";
import type { Accepted } from "./accept.ts";
import type { Receipt } from "./dialect/door.ts";

/** Sums a request's outcomes, and notes them with the meter. */
export function receiptOf({ parts, errors }: Accepted, requestId: string | undefined, meter: Meter): Receipt {
  let accepted = 0;
  let duplicate = 0;
  let quarantined = 0;
  for (const { outcomes } of parts) {
    for (const found of outcomes) {
      if (isPublished(found)) accepted += 1;
      else if (found === outcome.duplicate) duplicate += 1;
      else quarantined += 1;
    }
  }
  meter.count("weir.edge.events", accepted, { "weir.outcome": "accepted" });
  if (duplicate > 0) meter.count("weir.edge.events", duplicate, { "weir.outcome": "duplicate" });
  if (quarantined > 0) meter.count("weir.edge.events", quarantined, { "weir.outcome": "quarantined" });
  const batchIds = parts.map(({ batchId }) => toUuid(batchId));
  const received = accepted + duplicate + quarantined;
  return { batchIds, received, accepted, duplicate, quarantined, errors, requestId };
}
