// Alerts beside the writers: one aggregator at a time judges the rules, and whoever is free tells the webhook.
import type { Sql } from "postgres";
import type { Clock } from "../../shared/clock.ts";
import type { LogReader } from "../../shared/log/log.ts";
import type { Logger } from "../../shared/logger.ts";
import type { Meter } from "../../shared/meter.ts";
import { errorText } from "../store/errors.ts";
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
/** The end waits so long for a round under way; then it is given up, uncommitted. */
const stopMs = 1_000;

/** Begins to judge and to deliver; `close` waits a moment for what is under way. */
export function startAlerts(options: AlertsOptions): { close(): Promise<void> } {
  const { store, clock, logger, rules, webhook, everyMs = everyMsDefault } = options;
  const ended = new AbortController();
  const measure = createMeasure(options.reader);
  let session: Sql | undefined;
  const round = async (): Promise<void> => {
    session ??= await store.writer();
    const how = { rules, measure, hasWebhook: webhook !== undefined, dueMs: everyMs * dueShare };
    const found = await evaluateRules(session, how);
    for (const { rule, state } of found === "busy" ? [] : found.transitions) {
      options.meter.count("weir.alerts.transitions", 1, { "weir.state": state });
      logger.info(`alert_${state}`, { rule });
    }
    await tellGauges(store.sql, options.meter);
  };
  const loop = async (pauseMs: number, code: string, work: () => Promise<void>): Promise<void> => {
    while (!ended.signal.aborted) {
      await clock.sleep(pauseMs, ended.signal);
      if (ended.signal.aborted) return;
      await work().catch(async (error: unknown) => {
        if (!ended.signal.aborted) logger.error(code, { error: errorText(error) });
      });
    }
  };
  const judging = loop(everyMs, "alerts_failed", async () => {
    await round().catch(async (error: unknown) => {
      await session?.end({ timeout: 1 }).catch(() => {});
      session = undefined;
      throw error;
    });
  });
  const delivering =
    webhook === undefined
      ? undefined
      : loop(deliverMs, "alert_delivery_failed", async () => {
          while (!ended.signal.aborted && (await deliverNext({ ...options, sql: store.sql, webhook })));
        });
  return {
    async close() {
      ended.abort();
      await Promise.race([Promise.all([judging, delivering]), clock.sleep(stopMs)]);
      void session?.end({ timeout: 0 }).catch(() => {});
    },
  };
}
