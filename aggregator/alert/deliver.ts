// Delivers what the webhook is to be told: claimed for a while, sent, and settled or put off.
import type { Sql } from "postgres";
import type { Clock } from "../../shared/clock.ts";
import type { Meter } from "../../shared/meter.ts";
import { backoffMs, type RetryPolicy } from "../../shared/retry.ts";
import type { Told } from "./told.ts";
import { type Sent, sendWebhook, type Webhook } from "./webhook.ts";

export interface DeliverOptions {
  sql: Sql;
  webhook: Webhook;
  clock: Clock;
  meter: Meter;
}

/** Longer than an attempt takes, so that no two aggregators send the same at once. */
const claimSeconds = 60;
/** Seconds at first, half an hour in the mean at last; when it is given up stands in its row. */
const policy: RetryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, baseMs: 5_000, waitMsMax: 3_600_000 };
/** Attempts beyond this wait no longer than the most; a number of doublings that does not overflow. */
const doublingsMax = 20;

interface Claimed {
  event_id: string;
  attempts: number;
  body: Told;
}

/**
 * One delivery, if one is due; answers whether there was. A rule's transitions go out in their order: the next
 * one waits until the one before is settled. Who dies behind an attempt has it sent again, under the same id.
 */
export async function deliverNext({ sql, webhook, clock, meter }: DeliverOptions): Promise<boolean> {
  const claimed = await claim(sql);
  if (claimed === undefined) return false;
  const sent = await sendWebhook(webhook, claimed.event_id, JSON.stringify(claimed.body), clock);
  const outcome = await settle(sql, claimed, sent, clock);
  meter.count("weir.alerts.deliveries", 1, { "weir.outcome": outcome });
  return true;
}

async function claim(sql: Sql): Promise<Claimed | undefined> {
  const [row] = await sql<Claimed[]>`
    update alert_deliveries d
    set attempts = d.attempts + 1,
      next_at = now() + make_interval(secs => ${claimSeconds})
    from (
      select w.event_id, e.body
      from alert_deliveries w
      join alert_events e on e.id = w.event_id
      where w.outcome is null
        and w.next_at <= now()
        and not exists (
          select 1
          from alert_deliveries before
          where before.rule = w.rule and before.number < w.number and before.outcome is null
        )
      order by w.next_at
      limit 1
      for update of w skip locked
    ) as due
    where d.event_id = due.event_id
    returning d.event_id, d.attempts, due.body`;
  return row;
}

// An attempt that outlived its claim says nothing any more, unless it was taken.
async function settle(
  sql: Sql,
  { event_id, attempts }: Claimed,
  sent: Sent,
  clock: Clock,
): Promise<"delivered" | "gone" | "failed" | "given_up"> {
  if (sent.outcome === "delivered") {
    await sql`
      update alert_deliveries
      set outcome = 'delivered', ended_at = now(), last_fault = null
      where event_id = ${event_id} and outcome is null`;
    return "delivered";
  }
  if (sent.outcome === "gone") {
    await sql`
      update alert_deliveries
      set outcome = 'gone', ended_at = now(), last_fault = ${sent.fault}
      where event_id = ${event_id} and outcome is null and attempts = ${attempts}`;
    return "gone";
  }
  const waitMs = backoffMs(policy, 2 + Math.min(attempts - 1, doublingsMax), clock, sent.retryAfterMs);
  const [row] = await sql<{ outcome: string | null }[]>`
    update alert_deliveries
    set last_fault = ${sent.fault},
      next_at = now() + make_interval(secs => ${waitMs / 1000}::float8),
      outcome = case when now() >= until then 'given_up' end,
      ended_at = case when now() >= until then now() end
    where event_id = ${event_id} and outcome is null and attempts = ${attempts}
    returning outcome`;
  return row?.outcome === "given_up" ? "given_up" : "failed";
}
