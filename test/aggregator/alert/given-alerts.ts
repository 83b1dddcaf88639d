// Rules as an evaluator leaves them, one of each standing, for suites that only look.
import type { Store } from "../../../aggregator/store/store.ts";

export async function giveAlerts(store: Store): Promise<void> {
  const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();
  const rule = (name: string, state: string, more: Record<string, unknown> = {}) => ({
    rule: name,
    kind: "threshold",
    severity: "look",
    summary: `What ${name} is about`,
    state,
    since: ago(90),
    turned_at: null,
    number: 0,
    verdict: "good",
    value: 12,
    detail: "12 events in 10m, not below 5",
    watched_since: ago(600),
    evaluated_at: ago(0),
    removed_at: null,
    ...more,
  });
  const event = (number: number, at: number, last: number) => ({
    id: `00000000-0000-4000-8000-00000000000${number}`,
    rule: number > 2 ? "purchases_stopped" : "late_again",
    number: number > 2 ? 1 : number,
    state: number === 2 ? "resolved" : "firing",
    at: ago(at),
    value: last,
    detail: `${last} events in 10m`,
    body: "{}",
  });
  await store.sql`insert into alert_states ${store.sql([
    rule("calm_rule", "ok"),
    rule("soon_bad", "pending", {
      turned_at: ago(2),
      since: ago(2),
      verdict: "bad",
      detail: "3 events in 10m, below 5",
    }),
    rule("purchases_stopped", "firing", {
      severity: "page",
      number: 1,
      verdict: "bad",
      detail: "0 events in 10m, below 5",
    }),
    rule("late_again", "resolved", { number: 2 }),
    rule("unsure_rule", "ok", { verdict: "unknown", detail: "waits: events are not in the figures yet" }),
    rule("removed_rule", "ok", { removed_at: ago(5) }),
  ])}`;
  await store.sql`insert into alert_events ${store.sql([event(1, 200, 4), event(2, 180, 9), event(3, 90, 0)])}`;
  await store.sql`
    insert into alert_deliveries (event_id, rule, number, attempts, until, outcome, last_fault, ended_at)
    select id, rule, number, number, now() + interval '3 days',
      case rule when 'late_again' then 'delivered' end,
      case rule when 'late_again' then null else 'status 500' end,
      case rule when 'late_again' then now() end
    from alert_events
    where (rule, number) <> ('late_again', 1)`;
}
