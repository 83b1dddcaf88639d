// The meter behind /metrics: counts in memory and writes Prometheus' text format.
import type { Attributes, Meter } from "../meter.ts";
import { catalogue, type Instrument, prometheusName } from "./catalogue.ts";

/** The content type of the exposition, text format 0.0.4. */
export const expositionType = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Attribute sets one instrument may have. The catalogue's values are closed sets of at most some 30
 * words, two of them at most beside each other; past this the set named by OpenTelemetry's cardinality
 * limit, `otel.metric.overflow`, takes the rest.
 */
export const attributeSetsMax = 200;

export interface Prometheus {
  meter: Meter;
  /** Everything counted so far, in the text format. */
  exposition(): string;
}

/** What happens to a call that fits no instrument: tests throw, a running process counts it. */
export interface PrometheusOptions {
  onFault?: "count" | "throw";
}

interface Series {
  value: number;
  /** Histograms alone: how many values fell into each bucket, the last one without a bound. */
  counts: number[];
  observations: number;
}

interface Family {
  instrument: Instrument;
  name: string;
  series: Map<string, Series>;
}

export function createPrometheus(options: PrometheusOptions = {}): Prometheus {
  const families = new Map<string, Family>();
  for (const instrument of catalogue) {
    const family = { instrument, name: prometheusName(instrument), series: new Map<string, Series>() };
    families.set(instrument.name, family);
    // A counter without attributes exists from the start, so that a rate over its first step is right.
    if (instrument.kind === "counter" && instrument.attributes.length === 0) seriesOf(family, "");
  }

  function fault(detail: string): void {
    if (options.onFault === "throw") throw new Error(detail);
    const ignored = families.get("weir.telemetry.ignored");
    if (ignored !== undefined) seriesOf(ignored, "").value += 1;
  }

  function find(
    kind: Instrument["kind"],
    name: string,
    value: number,
    attributes?: Attributes,
  ): Series | undefined {
    const family = families.get(name);
    if (family === undefined || family.instrument.kind !== kind) {
      fault(`${name} is no ${kind} of the catalogue`);
      return undefined;
    }
    const labels = labelsOf(family.instrument, attributes);
    if (labels === undefined || !Number.isFinite(value) || (kind === "counter" && value < 0)) {
      fault(`${name} does not take ${value} with ${Object.keys(attributes ?? {}).join(", ")}`);
      return undefined;
    }
    return seriesOf(family, labels);
  }

  return {
    meter: {
      count(name, value, attributes) {
        const series = find("counter", name, value, attributes);
        if (series !== undefined) series.value += value;
      },
      set(name, value, attributes) {
        const series = find("gauge", name, value, attributes);
        if (series !== undefined) series.value = value;
      },
      record(name, value, attributes) {
        const series = find("histogram", name, value, attributes);
        if (series === undefined) return;
        const bounds = families.get(name)?.instrument.buckets ?? [];
        const at = bounds.findIndex((bound) => value <= bound);
        series.counts[at === -1 ? bounds.length : at]! += 1;
        series.value += value;
        series.observations += 1;
      },
    },
    exposition: () => [...families.values()].map(write).join(""),
  };
}

function seriesOf(family: Family, labels: string): Series {
  const known = family.series.get(labels);
  if (known !== undefined) return known;
  const key = family.series.size < attributeSetsMax ? labels : 'otel_metric_overflow="true"';
  const series = family.series.get(key) ?? {
    value: 0,
    counts: new Array<number>((family.instrument.buckets?.length ?? 0) + 1).fill(0),
    observations: 0,
  };
  family.series.set(key, series);
  return series;
}

// The attributes as a label text in the catalogue's order; undefined where one is not the instrument's.
function labelsOf(instrument: Instrument, attributes: Attributes = {}): string | undefined {
  for (const name of Object.keys(attributes)) if (!instrument.attributes.includes(name)) return undefined;
  return instrument.attributes
    .filter((name) => attributes[name] !== undefined)
    .map((name) => `${name.replaceAll(".", "_")}="${escapeLabel(attributes[name]!)}"`)
    .join(",");
}

// A value longer than any of ours is no word of a closed set; it is cut before it can fill the memory.
function escapeLabel(value: string): string {
  return value.slice(0, 64).replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function write({ instrument, name, series }: Family): string {
  if (series.size === 0) return "";
  const lines = [`# HELP ${name} ${instrument.description}`, `# TYPE ${name} ${instrument.kind}`];
  for (const [labels, { value, counts, observations }] of series) {
    if (instrument.kind !== "histogram") {
      lines.push(`${name}${braced(labels)} ${value}`);
      continue;
    }
    let below = 0;
    for (const [at, bound] of [...(instrument.buckets ?? []), "+Inf"].entries()) {
      below += counts[at]!;
      lines.push(`${name}_bucket${braced(labels, `le="${bound}"`)} ${below}`);
    }
    lines.push(`${name}_sum${braced(labels)} ${value}`, `${name}_count${braced(labels)} ${observations}`);
  }
  return `${lines.join("\n")}\n`;
}

function braced(...labels: string[]): string {
  const text = labels.filter((label) => label !== "").join(",");
  return text === "" ? "" : `{${text}}`;
}
