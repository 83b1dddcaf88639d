// The exposition as Prometheus reads it, and the bounds on what may be counted.
import { describe, expect, it } from "vitest";
import { catalogue, prometheusName } from "../../../shared/telemetry/catalogue.ts";
import { attributeSetsMax, createPrometheus } from "../../../shared/telemetry/prometheus.ts";

const linesOf = (text: string, name: string): string[] =>
  text.split("\n").filter((line) => line.startsWith(name) || line.startsWith(`# TYPE ${name} `));

describe("names", () => {
  it.each([
    ["weir.collector.events", "weir_collector_events_total"],
    ["weir.collector.publish.duration", "weir_collector_publish_duration_seconds"],
    ["weir.edge.batch.size", "weir_edge_batch_size_bytes"],
    ["weir.aggregator.lag", "weir_aggregator_lag"],
    ["process.cpu.time", "process_cpu_time_seconds_total"],
  ])("writes %s as %s", (name, expected) => {
    const instrument = catalogue.find((each) => each.name === name);
    expect(instrument && prometheusName(instrument)).toBe(expected);
  });

  it("are unique, lower-case and dotted", () => {
    expect(new Set(catalogue.map(prometheusName)).size).toBe(catalogue.length);
    expect(catalogue.filter(({ name }) => !/^[a-z_]+(\.[a-z_]+)+$/.test(name))).toEqual([]);
  });

  it("have growing buckets where they are histograms, and nowhere else", () => {
    for (const { name, kind, buckets } of catalogue) {
      expect(buckets !== undefined, name).toBe(kind === "histogram");
      expect(buckets, name).toEqual(buckets && [...new Set(buckets)].sort((left, right) => left - right));
    }
  });
});

describe("the exposition", () => {
  it("adds up a counter per attribute set", () => {
    const { meter, exposition } = createPrometheus({ onFault: "throw" });
    meter.count("weir.collector.events", 3, { "weir.outcome": "published" });
    meter.count("weir.collector.events", 4, { "weir.outcome": "published" });
    meter.count("weir.collector.events", 1, { "weir.outcome": "duplicate" });
    expect(linesOf(exposition(), "weir_collector_events_total")).toEqual([
      "# TYPE weir_collector_events_total counter",
      'weir_collector_events_total{weir_outcome="published"} 7',
      'weir_collector_events_total{weir_outcome="duplicate"} 1',
    ]);
  });

  it("writes a histogram with cumulative buckets, sum and count", () => {
    const { meter, exposition } = createPrometheus({ onFault: "throw" });
    for (const value of [0.001, 0.002, 0.3, 99]) meter.record("weir.edge.request.duration", value);
    const lines = linesOf(exposition(), "weir_edge_request_duration_seconds");
    expect(lines).toContain('weir_edge_request_duration_seconds_bucket{le="0.001"} 1');
    expect(lines).toContain('weir_edge_request_duration_seconds_bucket{le="0.0025"} 2');
    expect(lines).toContain('weir_edge_request_duration_seconds_bucket{le="30"} 3');
    expect(lines).toContain('weir_edge_request_duration_seconds_bucket{le="+Inf"} 4');
    expect(lines).toContain("weir_edge_request_duration_seconds_count 4");
    expect(lines.at(-2)).toMatch(/^weir_edge_request_duration_seconds_sum 99\.303/);
  });

  it("keeps a gauge's last value", () => {
    const { meter, exposition } = createPrometheus({ onFault: "throw" });
    meter.set("weir.claims.up", 1);
    meter.set("weir.claims.up", 0);
    expect(linesOf(exposition(), "weir_claims_up")).toEqual([
      "# TYPE weir_claims_up gauge",
      "weir_claims_up 0",
    ]);
  });

  it("escapes what would break a line", () => {
    const { meter, exposition } = createPrometheus({ onFault: "throw" });
    meter.count("weir.edge.refusals", 1, { "weir.code": 'a"b\\c\nd' });
    expect(exposition()).toContain('weir_edge_refusals_total{weir_code="a\\"b\\\\c\\nd"} 1');
  });

  it("shows counters without attributes as nought from the start", () => {
    expect(createPrometheus().exposition()).toContain("weir_telemetry_ignored_total 0");
  });

  it("is read back whole: every line is a comment or a sample", () => {
    const { meter, exposition } = createPrometheus({ onFault: "throw" });
    for (const { name, kind, attributes } of catalogue) {
      const set = Object.fromEntries(attributes.map((attribute) => [attribute, "x"]));
      if (kind === "counter") meter.count(name, 1, set);
      else if (kind === "gauge") meter.set(name, 1, set);
      else meter.record(name, 1, set);
    }
    const text = exposition();
    const sample = /^[a-z_]+(\{([a-z_]+="[^"\n]*",?)+\})? -?[0-9.e+-]+$/;
    const odd = text
      .split("\n")
      .filter((line) => line !== "" && !/^# (HELP|TYPE) /.test(line) && !sample.test(line));
    expect(odd).toEqual([]);
    expect(text.endsWith("\n")).toBe(true);
  });
});

describe("calls that fit no instrument", () => {
  const faults: [string, (meter: ReturnType<typeof createPrometheus>["meter"]) => void][] = [
    ["an unknown name", (meter) => meter.count("weir.edge.evnts", 1)],
    ["another kind", (meter) => meter.set("weir.edge.events", 1)],
    ["an unknown attribute", (meter) => meter.count("weir.edge.events", 1, { user: "u1" })],
    ["no number", (meter) => meter.set("weir.claims.up", Number.NaN)],
    ["a counter that falls", (meter) => meter.count("weir.edge.events", -1)],
  ];

  it.each(faults)("throws on %s where it is asked to", (_, call) => {
    expect(() => call(createPrometheus({ onFault: "throw" }).meter)).toThrow();
  });

  it.each(faults)("ignores and counts %s otherwise", (_, call) => {
    const { meter, exposition } = createPrometheus();
    const before = exposition();
    call(meter);
    expect(exposition()).toBe(
      before.replace("weir_telemetry_ignored_total 0", "weir_telemetry_ignored_total 1"),
    );
  });

  it("bounds the attribute sets of one instrument and loses no count", () => {
    const { meter, exposition } = createPrometheus({ onFault: "throw" });
    for (let at = 0; at < attributeSetsMax + 50; at += 1) {
      meter.count("weir.edge.refusals", 1, { "weir.code": `code-${at}` });
    }
    const lines = linesOf(exposition(), "weir_edge_refusals_total{");
    expect(lines).toHaveLength(attributeSetsMax + 1);
    expect(lines.at(-1)).toBe('weir_edge_refusals_total{otel_metric_overflow="true"} 50');
  });
});
