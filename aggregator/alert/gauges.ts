// What is true of the alerts now, told by every aggregator alike, whoever judges.
import type { Sql } from "postgres";
import type { Meter } from "../../shared/meter.ts";

export async function tellGauges(sql: Sql, meter: Meter): Promise<void> {
  const [row] = await sql<
    [{ pages: number; looks: number; unknown: number; age: number; waiting: number; late: number }]
  >`
    select
      count(*) filter (where state = 'firing' and severity = 'page')::int as pages,
      count(*) filter (where state = 'firing' and severity = 'look')::int as looks,
      count(*) filter (where verdict = 'unknown')::int as unknown,
      coalesce(extract(epoch from now() - max(evaluated_at)), 0)::float8 as age,
      (select count(*) from alert_deliveries where outcome is null)::int as waiting,
      (select count(*) from alert_deliveries where outcome = 'given_up' or outcome = 'gone')::int as late
    from alert_states
    where removed_at is null`;
  meter.set("weir.alerts.firing", row.pages, { "weir.severity": "page" });
  meter.set("weir.alerts.firing", row.looks, { "weir.severity": "look" });
  meter.set("weir.alerts.unknown", row.unknown);
  meter.set("weir.alerts.age", row.age);
  meter.set("weir.alerts.undelivered", row.waiting, { "weir.outcome": "waiting" });
  meter.set("weir.alerts.undelivered", row.late, { "weir.outcome": "given_up" });
}
