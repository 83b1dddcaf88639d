// `weir load`: sends events over HTTP at a rate, some late, some bad, some twice, and keeps its own account.
import type { Clock } from "../../shared/clock.ts";
import { foldIds } from "./load/id-list.ts";
import { createLatencies, type Latencies } from "./load/latency.ts";
import { fileEvents, type LoadEvent, type LoadShares, syntheticEvents } from "./load/load-events.ts";
import { createLoadLog, type LoadLog } from "./load/load-log.ts";
import { createPace, type Pace, preciseNow, untilTime } from "./load/pace.ts";
import { planRequests, requestBody } from "./load/plan.ts";
import { createRandom } from "./load/random.ts";
import { sendRequest } from "./load/send.ts";
import { openSource } from "./source/read-source.ts";

export interface LoadOptions extends LoadShares {
  url: string;
  key: string;
  /** Absent: events are made up. */
  file?: string | undefined;
  /** Events a second, copies included; 0 is as fast as the edge answers. */
  rate: number;
  /** How long new events are made or read; absent with a file: until its end. */
  seconds?: number | undefined;
  /** Share of the good events sent once more. */
  duplicate: number;
  /** Events in a request. */
  batch: number;
  connections: number;
  /** How long one request is tried for. */
  giveUpSeconds: number;
  seed: number;
  log?: string | undefined;
}

export interface LoadResult {
  /** Events put into requests, copies included, each counted once however often it was sent again. */
  sent: number;
  copies: number;
  bad: number;
  acked: number;
  /** Events in requests that were never acknowledged. */
  failed: number;
  requests: number;
  /** Attempts after a request's first. */
  retries: number;
  /** Events of the file that no request can hold. */
  unsendable: number;
  seconds: number;
  events_per_second: number;
  /** From the moment a request was due to its acknowledgement, so that a stall counts for all it held up. */
  latency_ms: { p50: number; p90: number; p95: number; p99: number; max: number };
  ok: boolean;
}

interface Tally
  extends Pick<
    LoadResult,
    "sent" | "copies" | "bad" | "acked" | "failed" | "requests" | "retries" | "unsendable"
  > {
  latencies: Latencies;
}

/** Sends everything and resolves when the last request has ended. Rejects with a MisuseError. */
export async function runLoad(options: LoadOptions, clock: Clock): Promise<LoadResult> {
  const random = createRandom(options.seed);
  const run = Array.from(clock.random(4), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const tally: Tally = {
    sent: 0,
    copies: 0,
    bad: 0,
    acked: 0,
    failed: 0,
    requests: 0,
    retries: 0,
    unsendable: 0,
    latencies: createLatencies(),
  };
  const startedAt = clock.now();
  const events = await openEvents(options, run, random, clock, tally);
  const log = createLoadLog(options.log);
  log.write({ load: run, version: 1, url: options.url, seed: options.seed });
  const next = planRequests(untilTime(events, options.seconds, clock), { ...options, random });
  const pace = createPace(next, options.rate, clock);
  try {
    await Promise.all(
      Array.from({ length: options.connections }, () => connection(pace, log, options, clock, tally)),
    );
  } finally {
    log.close();
  }
  return toResult(tally, Math.max(clock.now() - startedAt, 1) / 1000);
}

async function openEvents(
  options: LoadOptions,
  run: string,
  random: () => number,
  clock: Clock,
  tally: Tally,
): Promise<AsyncIterator<LoadEvent> | Iterator<LoadEvent>> {
  if (options.file === undefined) return syntheticEvents(run, options, random, () => clock.now());
  const source = await openSource(options.file, { map: [] });
  return fileEvents(source, run, options, random, () => {
    tally.unsendable += 1;
  });
}

async function connection(
  pace: Pace,
  log: LoadLog,
  options: LoadOptions,
  clock: Clock,
  tally: Tally,
): Promise<void> {
  for (let planned = await pace(); planned !== undefined; planned = await pace()) {
    const { request, dueAt } = planned;
    const { number, originals, copies } = request;
    const bad = originals.filter((event) => event.isBad);
    const events = originals.length + copies.length;
    log.write({
      sent: number,
      attempt: 1,
      good: foldIds(originals.filter((event) => !event.isBad).map((event) => event.id)),
      bad: foldIds(bad.map((event) => event.id)),
      copies: foldIds(copies.map((event) => event.id)),
    });
    tally.requests += 1;
    tally.sent += events;
    tally.copies += copies.length;
    tally.bad += bad.length;
    const giveUpMs = options.giveUpSeconds * 1000;
    const { url, key } = options;
    const ended = await sendRequest(number, requestBody(request), log, { url, key, giveUpMs, clock });
    tally.retries += ended.attempts - 1;
    if (ended.answer === undefined) tally.failed += events;
    else {
      tally.acked += events;
      tally.latencies.add(preciseNow() - dueAt);
    }
  }
}

function toResult({ latencies, ...counts }: Tally, seconds: number): LoadResult {
  const at = (share: number): number => Math.round(latencies.quantile(share) * 100) / 100;
  return {
    ...counts,
    seconds: Math.round(seconds * 1000) / 1000,
    events_per_second: Math.round(counts.acked / seconds),
    latency_ms: { p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), max: at(1) },
    ok: counts.failed === 0,
  };
}

/** The result for a person. */
export function loadText(result: LoadResult): string {
  const { sent, copies, bad, acked, retries, failed, unsendable, latency_ms: latency } = result;
  const times = Object.entries(latency).map(([name, ms]) => `${name} ${ms}`);
  const lines = [
    `sent ${sent} (${copies} copies, ${bad} bad), acked ${acked}, failed ${failed}, retries ${retries}`,
    `${result.seconds} s, ${result.events_per_second} events/s, latency ms: ${times.join(", ")}`,
  ];
  if (unsendable > 0) lines.push(`${unsendable} entries of the file are no events that a request can hold`);
  return lines.join("\n");
}
