// Tells the meter and the logger what a transaction has written.
import type { Logger } from "../shared/logger.ts";
import type { Meter } from "../shared/meter.ts";
import { outcome } from "../shared/wire/batch.ts";
import type { Written } from "./transaction.ts";
import type { WriteAnswer } from "./write.ts";

/** Counts a committed transaction and sums it up; records that should never be are alarmed. */
export function tellWritten(written: Written, seconds: number, meter: Meter, logger: Logger): WriteAnswer {
  const { sorted, unreadable } = written;
  const sum = {
    stored: 0,
    duplicate: 0,
    quarantined: 0,
    expired: 0,
    erased: 0,
    records: sorted.fresh.length,
  };
  let events = 0;
  for (const [decoded, counts] of written.tallies) {
    const { outcomes, batch } = decoded.record;
    events += batch.count;
    sum.stored += counts.stored;
    sum.expired += counts.expired;
    sum.erased += counts.erased;
    sum.duplicate += counts.duplicate_stored + counts.refused_duplicate;
    sum.quarantined += counts.conflict + counts.unwritable - counts.refused_duplicate;
    for (const code of outcomes) {
      if (code === outcome.duplicate) sum.duplicate += 1;
      else if (code === outcome.refused) sum.quarantined += 1;
    }
    if (counts.conflict > 0) {
      meter.count("weir.aggregator.quarantined", counts.conflict, { "weir.reason": "conflict" });
    }
    if (counts.unwritable > 0) {
      meter.count("weir.aggregator.quarantined", counts.unwritable, { "weir.reason": "event_unwritable" });
    }
    for (const { code } of batch.refusals)
      meter.count("weir.aggregator.quarantined", 1, { "weir.reason": code });
  }
  meter.record("weir.aggregator.write.duration", seconds, { "weir.way": written.way });
  meter.record("weir.aggregator.write.events", events);
  for (const [outcomeName, count] of [
    ["stored", sum.stored],
    ["duplicate", sum.duplicate],
    ["quarantined", sum.quarantined],
    ["expired", sum.expired],
    ["erased", sum.erased],
  ] as const) {
    if (count > 0) meter.count("weir.aggregator.events", count, { "weir.outcome": outcomeName });
  }
  meter.count("weir.aggregator.records", sorted.fresh.length, { "weir.result": "written" });
  if (sorted.again.length > 0) {
    meter.count("weir.aggregator.records", sorted.again.length, { "weir.result": "retransmitted" });
  }
  if (unreadable > 0) {
    meter.count("weir.aggregator.records", unreadable, { "weir.result": "unreadable" });
    alarm("record_unreadable", unreadable, meter, logger);
  }
  if (sorted.reused.length > 0) alarm("batch_id_reused", sorted.reused.length, meter, logger);
  if (sorted.forgotten.length > 0) alarm("batch_too_old", sorted.forgotten.length, meter, logger);
  return sum;
}

function alarm(code: string, records: number, meter: Meter, logger: Logger): void {
  meter.count("weir.aggregator.alarms", 1, { "weir.code": code });
  logger.error(code, { records });
}
