// Every instrument of the three processes: its OpenTelemetry name, kind, unit, attributes and meaning.
// A name that is not here is not measured; panels and alerts may use no other.

import { counter, duration, gauge, type Instrument, spread } from "./instrument.ts";

export type { Instrument };

const edge: readonly Instrument[] = [
  counter(
    "weir.edge.requests",
    "{request}",
    ["weir.code"],
    "Requests with events, by `ok` or the problem's code",
  ),
  duration("weir.edge.request.duration", ["weir.code"], "From a request's first byte to its answer"),
  counter(
    "weir.edge.events",
    "{event}",
    ["weir.outcome"],
    "Events answered: accepted, duplicate, quarantined, or refused_unavailable where the request got a 503",
  ),
  counter(
    "weir.edge.refusals",
    "{event}",
    ["weir.code"],
    "Events refused by the edge, by the refusal's code",
  ),
  spread("weir.edge.batch.events", "{event}", [], "Events in one forwarded batch"),
  spread("weir.edge.batch.size", "By", [], "Packed bytes of one forwarded batch"),
  counter("weir.edge.canaries", "{canary}", ["weir.code"], "Canaries sent, by `ok` or the problem's code"),
  gauge("weir.edge.freshness.age", "s", [], "Age of the newest stored canary as this edge knows it"),
  counter(
    "weir.edge.copies",
    "{request}",
    ["weir.client", "weir.code"],
    "Copies for Segment and PostHog: ok, refused or failed there, or dropped here for want of room",
  ),
  gauge("weir.edge.batches.in_flight", "{batch}", [], "Batches waiting for the collector's answer"),
  duration(
    "weir.edge.forward.duration",
    ["weir.code"],
    "From a batch's first attempt to its answer, by `ok` or code",
  ),
];

const collector: readonly Instrument[] = [
  counter(
    "weir.collector.events",
    "{event}",
    ["weir.outcome"],
    "Events acknowledged: published, in_doubt, unchecked, duplicate, refused",
  ),
  counter(
    "weir.collector.batches",
    "{batch}",
    ["weir.code"],
    "Batches answered, by `ok` or the problem's code",
  ),
  duration("weir.collector.batch.duration", ["weir.code"], "From a batch's arrival to its answer"),
  duration(
    "weir.collector.claim.duration",
    ["weir.call", "weir.result"],
    "One call of the claims, `ok` or `failed`",
  ),
  duration(
    "weir.collector.publish.duration",
    ["weir.result"],
    "One publish, by `ok` or its failure: not_stored, unknown, refused",
  ),
  gauge("weir.collector.spool.size", "By", [], "Bytes in the spool"),
  gauge("weir.collector.spool.records", "{record}", [], "Records in the spool"),
  gauge("weir.collector.spool.age", "s", [], "Age of the oldest record in the spool"),
  gauge("weir.collector.publish.in_flight", "By", [], "Bytes handed to the log and not answered yet"),
  gauge("weir.claims.up", "1", [], "1 while claims are asked, 0 while the breaker lets batches go unchecked"),
  gauge("weir.log.up", "1", [], "1 while the log takes records"),
];

const aggregator: readonly Instrument[] = [
  counter(
    "weir.aggregator.events",
    "{event}",
    ["weir.outcome"],
    "Events of written batches, each by what became of it: stored, duplicate, quarantined",
  ),
  counter(
    "weir.aggregator.records",
    "{record}",
    ["weir.result"],
    "Records read: written, retransmitted, unreadable",
  ),
  duration("weir.aggregator.write.duration", ["weir.way"], "One write transaction, by `copy` or `staged`"),
  spread("weir.aggregator.write.events", "{event}", [], "Events in one write transaction"),
  gauge(
    "weir.aggregator.lag",
    "{record}",
    [],
    "Records of the log not written yet, in the partitions owned here",
  ),
  gauge("weir.aggregator.delay", "s", [], "Age of the oldest record not written yet; 0 where nothing waits"),
  gauge("weir.aggregator.event.age", "s", [], "Time since the newest stored event was received"),
  gauge("weir.freshness.age", "s", ["weir.edge"], "Time since an edge sent its newest stored canary"),
  counter("weir.aggregator.quarantined", "{event}", ["weir.reason"], "Events put into quarantine, by reason"),
  gauge("weir.aggregator.quarantine", "{event}", [], "Events open in quarantine, waiting for somebody"),
  counter("weir.aggregator.retries", "{event}", ["weir.outcome"], "Retries, by what became of the event"),
  counter(
    "weir.aggregator.alarms",
    "{alarm}",
    ["weir.code"],
    "What should never happen: holes, foreign logs, reused ids",
  ),
  duration("weir.aggregator.query.duration", ["weir.question", "weir.code"], "One question, by `ok` or code"),
  gauge("weir.notices.waiting", "{notice}", ["weir.topic"], "Notices that the log does not have yet"),
  gauge("weir.notices.age", "s", ["weir.topic"], "Age of the oldest notice that the log does not have yet"),
  gauge("weir.alerts.firing", "{rule}", ["weir.severity"], "Alert rules that fire: page, look"),
  gauge("weir.alerts.unknown", "{rule}", [], "Alert rules that could not be judged last time"),
  gauge("weir.alerts.age", "s", [], "Time since an aggregator judged the alert rules"),
  counter("weir.alerts.transitions", "{alert}", ["weir.state"], "Rules that began to fire, or were resolved"),
  counter(
    "weir.alerts.deliveries",
    "{attempt}",
    ["weir.outcome"],
    "Attempts at the webhook: delivered, failed, gone",
  ),
  gauge("weir.alerts.undelivered", "{alert}", ["weir.outcome"], "Not at the webhook: waiting, or given up"),
  gauge("weir.store.up", "1", [], "1 while the store answers"),
];

const everyProcess: readonly Instrument[] = [
  gauge("process.memory.usage", "By", [], "Resident memory of the process"),
  counter("process.cpu.time", "s", ["cpu.mode"], "Processor time used, user and system"),
  gauge(
    "weir.process.loop.delay",
    "s",
    [],
    "How late the event loop came to a timer, the worst of the last interval",
  ),
  counter("weir.telemetry.ignored", "{call}", [], "Calls of the meter that fitted no instrument"),
];

/** The whole catalogue, in the order of an event's journey. */
export const catalogue: readonly Instrument[] = [...edge, ...collector, ...aggregator, ...everyProcess];

/** Units that a Prometheus name spells out; a counted thing in braces adds nothing. */
const unitWords: Readonly<Record<string, string>> = { s: "seconds", By: "bytes" };

/**
 * The Prometheus name of an instrument, by OpenTelemetry's compatibility rules: dots become underscores,
 * the unit is spelt out, counters end in `_total`.
 */
export function prometheusName(instrument: Instrument): string {
  const words = [instrument.name.replaceAll(".", "_")];
  const unit = unitWords[instrument.unit];
  if (unit !== undefined) words.push(unit);
  if (instrument.kind === "counter") words.push("total");
  return words.join("_");
}
