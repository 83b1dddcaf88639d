// What a collector measures and tells, wrapped around its ports so that no step mentions it.

import { type LogProducer, PublishError } from "../shared/log/log.ts";
import type { Logger } from "../shared/logger.ts";
import type { Meter } from "../shared/meter.ts";
import { WeirError } from "../shared/problem.ts";
import { outcome } from "../shared/wire/batch.ts";
import type { ClaimStore } from "./claims/claims.ts";
import type { Collect } from "./collect.ts";
import type { Spool } from "./spool/spool.ts";

const outcomeNames: readonly string[] = ["published", "in_doubt", "unchecked", "duplicate", "refused"];

const secondsSince = (started: number): number => (performance.now() - started) / 1000;

/** Counts batches by their answer's code and events by their outcome. */
export function measuredCollect(collect: Collect, meter: Meter): Collect {
  return async (batch) => {
    const started = performance.now();
    let code = "ok";
    try {
      const answer = await collect(batch);
      const counts = new Array<number>(outcome.refused + 1).fill(0);
      for (const found of answer.outcomes) counts[found] = counts[found]! + 1;
      counts.forEach((count, found) => {
        if (count > 0) meter.count("weir.collector.events", count, { "weir.outcome": outcomeNames[found]! });
      });
      return answer;
    } catch (error) {
      code = error instanceof WeirError ? error.code : "internal";
      throw error;
    } finally {
      meter.count("weir.collector.batches", 1, { "weir.code": code });
      meter.record("weir.collector.batch.duration", secondsSince(started), { "weir.code": code });
    }
  };
}

/** Measures every call of the claims; the breaker above it tells when they are left alone. */
export function measuredClaims(claims: ClaimStore, meter: Meter): ClaimStore {
  async function measured<T>(call: string, work: Promise<T>): Promise<T> {
    const started = performance.now();
    let result = "failed";
    try {
      const answer = await work;
      result = "ok";
      return answer;
    } finally {
      const attributes = { "weir.call": call, "weir.result": result };
      meter.record("weir.collector.claim.duration", secondsSince(started), attributes);
    }
  }
  return {
    claim: (request) => measured("claim", claims.claim(request)),
    settle: (request) => measured("settle", claims.settle(request)),
    release: (request) => measured("release", claims.release(request)),
    count: (name, events, untilMs) => measured("count", claims.count(name, events, untilMs)),
    health: () => claims.health(),
    close: () => claims.close(),
  };
}

/** Tells what the spool holds, every second until the answered function is called. */
export function watchSpool(spool: Spool, meter: Meter, now: () => number): () => void {
  const tell = (): void => {
    const { records, bytes, since } = spool.held();
    meter.set("weir.collector.spool.size", bytes);
    meter.set("weir.collector.spool.records", records);
    meter.set("weir.collector.spool.age", since === undefined ? 0 : Math.max(0, now() - since) / 1000);
  };
  tell();
  const timer = setInterval(tell, 1_000);
  return () => clearInterval(timer);
}

/** Measures every publish, and tells each failure with its kind. */
export function measuredProducer(producer: LogProducer, meter: Meter, logger: Logger): LogProducer {
  let bytes = 0;
  const waiting = (change: number): void => {
    bytes += change;
    meter.set("weir.collector.publish.in_flight", bytes);
  };
  return {
    identity: producer.identity,
    close: () => producer.close(),
    async publish(partition, record) {
      const started = performance.now();
      let result = "ok";
      waiting(record.length);
      try {
        await producer.publish(partition, record);
      } catch (error) {
        result = error instanceof PublishError ? error.failure : "unknown";
        logger.error(`publish_${result}`, { partition, bytes: record.length, error: String(error) });
        throw error;
      } finally {
        waiting(-record.length);
        meter.record("weir.collector.publish.duration", secondsSince(started), { "weir.result": result });
        meter.set("weir.log.up", result === "ok" || result === "refused" ? 1 : 0);
      }
    },
  };
}
