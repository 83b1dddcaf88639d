// How the alert rules stand, and when each began and ended to fire.
import type { TransactionSql } from "postgres";
import { z } from "zod";
import { cursorOf, limitOf } from "./cursor.ts";
import { identifier, sharedParameters } from "./parameters.ts";
import { type AnswerRow, defineQuestion } from "./question.ts";

const parameters = z.strictObject({
  by: z
    .enum(["rule", "transition"])
    .default("rule")
    .describe("rule: how each stands; transition: when they began and ended to fire, the newest first"),
  rule: identifier.optional().describe("One rule; all of them when absent"),
  format: sharedParameters.format,
  limit: limitOf(200, 1_000),
  cursor: cursorOf(z.tuple([identifier, z.uuid().nullable()])),
});

const moment = z.iso.datetime();

export const alerts = defineQuestion({
  name: "alerts",
  summary: "Alert rules, how they stand, and when they fired",
  parameters,
  row: z.object({
    id: z.uuid().optional().describe("With by=transition: the same in weir.alerts and in the webhook"),
    at: moment.optional().describe("With by=transition"),
    rule: z.string(),
    kind: z.string().optional().describe("With by=rule: threshold, change, no_data, completeness or ledger"),
    severity: z.enum(["page", "look"]).optional().describe("With by=rule"),
    summary: z.string().optional().describe("With by=rule"),
    state: z
      .enum(["ok", "firing", "resolved"])
      .describe("resolved: it fired within the last day; with by=transition firing or resolved"),
    since: moment.optional().describe("With by=rule: when the state began"),
    pending_since: moment
      .nullable()
      .optional()
      .describe("With by=rule: since when it is bad, but not for long enough to fire"),
    is_judged: z
      .boolean()
      .optional()
      .describe("With by=rule: false while it could not be told, as detail says"),
    number: z.int().describe("Of its last transition, or of this one; odd ones began to fire"),
    value: z.number().nullable().describe("In the rule's own unit, such as events, percent or seconds"),
    detail: z.string().describe("What was found, in words"),
    evaluated_at: moment.optional().describe("With by=rule: when it was judged last"),
    undelivered: z.int().optional().describe("With by=rule: transitions that the webhook does not have yet"),
    delivery: z
      .enum(["none", "waiting", "delivered", "gone", "given_up"])
      .optional()
      .describe("With by=transition: what became of it at the webhook; none: there was none"),
    attempts: z.int().optional().describe("With by=transition"),
    last_fault: z.string().nullable().optional().describe("With by=transition: what the last attempt met"),
  }),
  placeOf: (row) => [String(row["at"] ?? row["rule"]), (row["id"] as string | undefined) ?? null],
  ask: (tx, asked) => (asked.by === "rule" ? listRules(tx, asked) : listTransitions(tx, asked)),
});

type Asked = z.output<typeof parameters>;

const iso = (time: unknown): string => (time as Date).toISOString();

async function listRules(tx: TransactionSql, { rule, limit, cursor }: Asked): Promise<AnswerRow[]> {
  const rows = await tx`
    select rule, kind, severity, summary, state, since, turned_at, verdict, number, value, detail, evaluated_at,
      (
        select count(*) from alert_deliveries d where d.rule = s.rule and d.outcome is null
      )::int as undelivered
    from alert_states s
    where removed_at is null
      ${rule === undefined ? tx`` : tx`and rule = ${rule}`}
      ${cursor === undefined ? tx`` : tx`and rule collate "C" > ${cursor[0]}`}
    order by rule collate "C"
    limit ${limit + 1}`;
  return rows.map((row) => {
    const isPending = row["state"] === "pending";
    return {
      rule: row["rule"],
      kind: row["kind"],
      severity: row["severity"],
      summary: row["summary"],
      state: isPending ? "ok" : row["state"],
      since: iso(row["since"]),
      pending_since: isPending ? iso(row["turned_at"]) : null,
      is_judged: row["verdict"] !== "unknown",
      number: row["number"],
      value: row["value"],
      detail: row["detail"],
      evaluated_at: iso(row["evaluated_at"]),
      undelivered: row["undelivered"],
    };
  });
}

async function listTransitions(tx: TransactionSql, { rule, limit, cursor }: Asked): Promise<AnswerRow[]> {
  const at = tx`date_trunc('milliseconds', e.at)`;
  const rows = await tx`
    select e.id, ${at} as at, e.rule, e.state, e.number, e.value, e.detail,
      case when d.event_id is null then 'none' else coalesce(d.outcome, 'waiting') end as delivery,
      coalesce(d.attempts, 0) as attempts, d.last_fault
    from alert_events e
    left join alert_deliveries d on d.event_id = e.id
    where true
      ${rule === undefined ? tx`` : tx`and e.rule = ${rule}`}
      ${cursor === undefined ? tx`` : tx`and (${at}, e.id) < (${cursor[0]}::text::timestamptz, ${cursor[1]}::uuid)`}
    order by ${at} desc, e.id desc
    limit ${limit + 1}`;
  return rows.map((row) => ({ ...row, at: iso(row["at"]) }) as unknown as AnswerRow);
}
