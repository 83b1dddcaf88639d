// What the settings say of alerts: which rules hold, and who is told.
import type { Rule } from "./rule.ts";
import { loadRules } from "./rules.ts";
import type { Webhook } from "./webhook.ts";

export interface AlertConfig {
  WEIR_ALERT_RULES?: string | undefined;
  WEIR_ALERT_WEBHOOK_URL?: string | undefined;
  WEIR_ALERT_WEBHOOK_SECRET?: string | undefined;
  WEIR_CONVERSION_TYPES?: string[] | undefined;
}

/** Throws a ConfigError with every fault of the rules. */
export function alertSettings(config: AlertConfig): { rules: Rule[]; webhook: Webhook | undefined } {
  const rules = loadRules(config.WEIR_ALERT_RULES);
  return { rules: withConversions(rules, config.WEIR_CONVERSION_TYPES), webhook: webhookOf(config) };
}

/** Conversions of a rule that names no types are those of the settings. */
function withConversions(rules: readonly Rule[], types: string[] | undefined): Rule[] {
  if (types === undefined) return [...rules];
  return rules.map((rule) =>
    "figure" in rule && rule.figure === "conversions" ? { ...rule, types: rule.types ?? types } : rule,
  );
}

export const webhookOf = ({
  WEIR_ALERT_WEBHOOK_URL: url,
  WEIR_ALERT_WEBHOOK_SECRET: secret,
}: AlertConfig): Webhook | undefined => (url === undefined ? undefined : { url, secret });
