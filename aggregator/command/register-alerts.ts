// The commands that list the alerts, check a file of rules, and try the webhook.
import type { Command } from "commander";
import { systemClock } from "../../shared/clock.ts";
import { exitCode, MisuseError, print, runCommand } from "../../shared/command.ts";
import { ConfigError } from "../../shared/config.ts";
import type { Rule } from "../alert/rule.ts";
import { loadRules } from "../alert/rules.ts";
import { type AlertConfig, webhookOf } from "../alert/settings.ts";
import { tell, wordsOf } from "../alert/told.ts";
import { sendWebhook } from "../alert/webhook.ts";
import { alerts } from "../read/alerts.ts";
import { answer } from "../read/answer.ts";
import type { AnswerRow, Question } from "../read/question.ts";
import type { Store } from "../store/store.ts";

interface Deps {
  openStore(): Promise<Store>;
  config(): AlertConfig;
}

interface Flags {
  transitions?: true;
  rule?: string;
  json?: true;
}

/** Adds the commands to the program. */
export function registerAlerts(program: Command, deps: Deps): void {
  const group = program.command("alerts").description("look at the alerts, check rules, try the webhook");
  group
    .command("list", { isDefault: true })
    .description("list the rules and how each stands; exits with 1 where one fires")
    .option("--transitions", "list when rules began and ended to fire instead, the newest first")
    .option("--rule <name>", "one rule")
    .option("--json", "the result as one JSON object on the last line")
    .action((flags: Flags) => runCommand(() => list(deps, flags)));
  group
    .command("check")
    .description("check a file of rules and tell every fault; without one, that of WEIR_ALERT_RULES")
    .argument("[file]", "YAML or JSON")
    .option("--json", "the result as one JSON object on the last line")
    .action((file: string | undefined, flags: Flags) => runCommand(async () => check(deps, file, flags)));
  group
    .command("test")
    .description("send one signed trial to WEIR_ALERT_WEBHOOK_URL, and say what it answered")
    .option("--json", "the result as one JSON object on the last line")
    .action((flags: Flags) => runCommand(() => trial(deps, flags)));
}

async function list(deps: Deps, { transitions, rule, json }: Flags): Promise<number> {
  const store = await deps.openStore();
  try {
    const query = {
      by: [transitions ? "transition" : "rule"],
      ...(rule === undefined ? {} : { rule: [rule] }),
    };
    const { data } = await answer(store.sql, alerts as unknown as Question, query);
    const firing = transitions ? 0 : data.filter(({ state }) => state === "firing").length;
    const lineOf = transitions ? transitionText : ruleText;
    print(json === true, { ok: firing === 0, firing, rows: data }, () =>
      data.length === 0 ? "nothing yet: an aggregator judges the rules" : data.map(lineOf).join("\n"),
    );
    return firing > 0 ? exitCode.failed : exitCode.fine;
  } finally {
    await store.close();
  }
}

const ruleText = (row: AnswerRow): string => {
  const state = row["pending_since"] === null ? row["state"] : "pending";
  const unsure = row["is_judged"] === true ? "" : " (not judged)";
  return `${String(state).padEnd(8)}  ${row["rule"]}${unsure}  since ${row["since"]}  ${row["detail"]}`;
};

const transitionText = (row: AnswerRow): string =>
  [row["at"], String(row["state"]).padEnd(8), row["rule"], row["detail"], `webhook: ${row["delivery"]}`].join(
    "  ",
  );

function check(deps: Deps, file: string | undefined, { json }: Flags): number {
  const path = file ?? deps.config().WEIR_ALERT_RULES;
  let rules: Rule[] = [];
  let faults: readonly string[] = [];
  try {
    rules = loadRules(path);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    faults = error.faults;
  }
  const told = rules.map((rule) => ({ ...wordsOf(rule) }));
  print(json === true, { ok: faults.length === 0, file: path ?? null, faults, rules: told }, () => {
    if (faults.length > 0) return faults.join("\n");
    const lines = told.map(
      ({ name, kind, severity, summary }) => `${name}  ${kind}  ${severity}  ${summary}`,
    );
    const of = path === undefined ? "built in" : `of ${path}`;
    return [`${rules.length} rules ${of}, no fault`, ...lines].join("\n");
  });
  return faults.length === 0 ? exitCode.fine : exitCode.failed;
}

async function trial(deps: Deps, { json }: Flags): Promise<number> {
  const webhook = webhookOf(deps.config());
  if (webhook === undefined) throw new MisuseError("WEIR_ALERT_WEBHOOK_URL is not set");
  const id = crypto.randomUUID();
  const words = { name: "trial", kind: "trial", severity: "look", summary: "Somebody tries this webhook" };
  const found = { id, rule: "trial", number: 0, at: Date.now(), value: null, detail: "nothing is wrong" };
  const body = JSON.stringify(tell(words, { ...found, state: "resolved" }));
  const sent = await sendWebhook(webhook, id, body, systemClock);
  const isSigned = webhook.secret !== undefined;
  const fault = sent.outcome === "delivered" ? null : sent.fault;
  print(json === true, { ok: fault === null, id, signed: isSigned, fault }, () =>
    fault === null
      ? `delivered ${isSigned ? "and signed" : "without a signature, since WEIR_ALERT_WEBHOOK_SECRET is not set"}`
      : `not delivered: ${fault}`,
  );
  return fault === null ? exitCode.fine : exitCode.failed;
}
