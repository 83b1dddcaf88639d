// Alerts beside the writers: one aggregator at a time judges the rules, and whoever is free tells the webhook.
import type { Clock } from "../../shared/clock.ts";
import type { LogReader } from "../../shared/log/log.ts";
import type { Logger } from "../../shared/logger.ts";
import type { Meter } from "../../shared/meter.ts";
import { repeat } from "../repeat.ts";
import type { Store } from "../store/store.ts";
import { deliverNext } from "./deliver.ts";
import { evaluateRules } from "./evaluate.ts";
import { tellGauges } from "./gauges.ts";
import { createMeasure } from "./measure.ts";
import type { Rule } from "./rule.ts";
import type { Webhook } from "./webhook.ts";

export interface AlertsOptions {
  store: Store;
  reader: LogReader;
  clock: Clock;
  meter: Meter;
  logger: Logger;
  rules: readonly Rule[];
  webhook?: Webhook | undefined;
  /** Between two rounds, ms; the first one is a round after the start. */
  everyMs?: number;
}

const everyMsDefault = 20_000;
/** A rule that another aggregator has judged within this part of a round is not judged again. */
const dueShare = 0.75;
/** Between two looks for something to deliver. */
const deliverMs = 2_000;

/** Begins to judge and to deliver; `close` waits a moment for what is under way, and gives it up, uncommitted. */
export function startAlerts(options: AlertsOptions): { close(): Promise<void> } {
  const { store, logger, meter, rules, webhook, everyMs = everyMsDefault } = options;
  const measure = createMeasure(options.reader);
  const how = { rules, measure, hasWebhook: webhook !== undefined, dueMs: everyMs * dueShare };
  const loops = [
    repeat({
      ...options,
      fault: "alerts_failed",
      beginsMs: everyMs,
      waitMsMax: everyMs,
      async step(session) {
        const found = await evaluateRules(session, how);
        for (const { rule, state } of found === "busy" ? [] : found.transitions) {
          meter.count("weir.alerts.transitions", 1, { "weir.state": state });
          logger.info(`alert_${state}`, { rule });
        }
        await tellGauges(store.sql, meter);
        return everyMs;
      },
    }),
  ];
  if (webhook !== undefined) {
    const delivery = repeat({
      ...options,
      fault: "alert_delivery_failed",
      beginsMs: deliverMs,
      async step(session, signal) {
        while (!signal.aborted && (await deliverNext({ ...options, sql: session, webhook })));
        return deliverMs;
      },
    });
    loops.push(delivery);
  }
  return {
    async close() {
      await Promise.all(loops.map((loop) => loop.close()));
    },
  };
}
