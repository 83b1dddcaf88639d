// What an instrument is, and how each kind of it is described.

/** Counters only grow, gauges say what is true now, histograms hold how values are spread. */
export interface Instrument {
  name: string;
  kind: "counter" | "gauge" | "histogram";
  /** UCUM as OpenTelemetry writes it: s, By, 1, or a counted thing in braces. */
  unit: string;
  /** Names of the attributes; each takes few values, all of them known beforehand. */
  attributes: readonly string[];
  description: string;
  /** Upper bounds of a histogram's buckets, growing. */
  buckets?: readonly number[];
}

// From a loopback answer to the longest deadline (publish, 10 s, twice): 14 buckets, a factor of 2 to 2.5 each.
const seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
// One event up to the largest write transaction.
const eventCounts = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];
// 1 KiB up to the largest record, by factors of four, then two.
const byteSizes = [1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 2_097_152, 4_194_304];

export const counter = (
  name: string,
  unit: string,
  attributes: readonly string[],
  description: string,
): Instrument => ({ name, kind: "counter", unit, attributes, description });
export const gauge = (
  name: string,
  unit: string,
  attributes: readonly string[],
  description: string,
): Instrument => ({ name, kind: "gauge", unit, attributes, description });
export const duration = (name: string, attributes: readonly string[], description: string): Instrument => ({
  name,
  kind: "histogram",
  unit: "s",
  attributes,
  description,
  buckets: seconds,
});
export const spread = (
  name: string,
  unit: "By" | "{event}",
  attributes: readonly string[],
  description: string,
): Instrument => ({
  name,
  kind: "histogram",
  unit,
  attributes,
  description,
  buckets: unit === "By" ? byteSizes : eventCounts,
});
