// What the settings say of alerts: which rules hold, and who is told.
import type { Rule } from "./rule.ts";
import { loadRules } from "./rules.ts";
import type { Webhook } from "./webhook.ts";

export interface AlertConfig {
  WEIR_ALERT_RULES?: string | undefined;
  WEIR_ALERT_WEBHOOK_URL?: string | undefined;
  WEIR_ALERT_WEBHOOK_SECRET?: string | undefined;
}

/** Throws a ConfigError with every fault of the rules. */
export function alertSettings(config: AlertConfig): { rules: Rule[]; webhook: Webhook | undefined } {
  return { rules: loadRules(config.WEIR_ALERT_RULES), webhook: webhookOf(config) };
}

export const webhookOf = ({
  WEIR_ALERT_WEBHOOK_URL: url,
  WEIR_ALERT_WEBHOOK_SECRET: secret,
}: AlertConfig): Webhook | undefined => (url === undefined ? undefined : { url, secret });
