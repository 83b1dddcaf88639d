// One list of names: what the code measures, what the board shows and what wakes somebody all stand in it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { catalogue, type Instrument, prometheusName } from "../../../shared/telemetry/catalogue.ts";
import { factsOf, readTree, type Tree } from "../../support/source.ts";

const root = join(import.meta.dirname, "../../..");
const folder = join(root, "shared/telemetry");
const text = (name: string): string => readFileSync(join(folder, name), "utf8");

interface Panel {
  title: string;
  type: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: { expr: string }[];
}
interface Alert {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string };
}
const board = JSON.parse(text("grafana/weir.json")) as { panels: Panel[] };
const panels = board.panels.filter(({ type }) => type !== "row");
const rules = (Bun.YAML.parse(text("alerts.yml")) as { groups: { rules: Alert[] }[] }).groups.flatMap(
  (group) => group.rules,
);

/** Prometheus's own, and the labels its configuration adds. */
const foreignNames = new Set(["up"]);
const foreignLabels = new Set(["le", "job", "instance", "process"]);

/** What is wrong with a PromQL expression: names and labels the catalogue does not have. */
function faultsOf(expression: string): string[] {
  const metrics = [...expression.matchAll(/\b(?:weir|process|up)\w*(?![\w"(]|\s*=)/g)].map(([name]) => name);
  const grouped = [...expression.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(/,\s*/));
  const matched = [...expression.matchAll(/(\w+)=~?"/g)].map(([, label]) => label!);
  const labels = [...grouped, ...matched].filter((label) => label !== "");
  const used = metrics.filter((name) => !labels.includes(name));
  const instruments = used.map((name) => (foreignNames.has(name) ? undefined : find(name)));
  const unknown = used.filter((name, at) => !foreignNames.has(name) && instruments[at] === undefined);
  const attributes = instruments.flatMap((instrument) => instrument?.attributes ?? []);
  const labelNames = new Set([...foreignLabels, ...attributes.map((name) => name.replaceAll(".", "_"))]);
  if (used.length === 0) return ["names no metric"];
  return [...unknown, ...labels.filter((label) => !labelNames.has(label))];
}

function find(metric: string): Instrument | undefined {
  return catalogue.find((instrument) => {
    const name = prometheusName(instrument);
    const suffixes = instrument.kind === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
    return suffixes.some((suffix) => metric === name + suffix);
  });
}

describe("the board", () => {
  it.each(panels)("$title: names metrics and labels of the catalogue", ({ targets }) => {
    expect((targets ?? []).flatMap(({ expr }) => faultsOf(expr))).toEqual([]);
    expect(targets?.length).toBeGreaterThan(0);
  });

  it("lays no panel over another", () => {
    const cells = board.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
  });
});

describe("the alerts", () => {
  it.each(rules)("$alert: names metrics and labels of the catalogue", ({ expr, labels, annotations }) => {
    expect(faultsOf(expr)).toEqual([]);
    expect(["page", "look"]).toContain(labels.severity);
    expect(annotations.summary).not.toBe("");
  });
});

describe("the check itself", () => {
  it.each([
    ["sum(rate(weir_edge_evnts_total[5m]))", ["weir_edge_evnts_total"]],
    ["sum by (weir_reason) (rate(weir_edge_events_total[5m]))", ["weir_reason"]],
    ['weir_log_up{weir_outcome="x"}', ["weir_outcome"]],
    ["weir_edge_request_duration_seconds", ["weir_edge_request_duration_seconds"]],
    ["vector(1)", ["names no metric"]],
    ['up{job="weir"} == 0', []],
  ])("finds the fault of %s", (expression, faults) => {
    expect(faultsOf(expression)).toEqual(faults);
  });

  it.each([
    ['meter.count("weir.edge.evnts", 1)', "is not in the catalogue"],
    ['deps.meter.set("weir.edge.events", 1)', "is no gauge"],
    ['meter.count("weir.edge.events", 1, { outcome: "x" })', "outcome is no attribute"],
    ['meter.count("weir.edge.events", 1, { "weir.outcome": "x" })', undefined],
  ])("finds the fault of %s", (code, fault) => {
    const found = callFaults(new Map([["edge/x.ts", code]]));
    expect(found).toEqual(fault === undefined ? [] : [expect.stringContaining(fault)]);
    expect(found.every((line) => line.startsWith("edge/x.ts:1 "))).toBe(true);
  });
});

const kinds: Readonly<Record<string, Instrument["kind"]>> = {
  count: "counter",
  set: "gauge",
  record: "histogram",
};

/** Calls of the meter, with literal names, that do not fit the catalogue. */
function callFaults(tree: Tree): string[] {
  return meterCalls(tree).flatMap(({ path, line, member, text: name, keys }) => {
    const instrument = catalogue.find((each) => each.name === name);
    const place = `${path}:${line} ${name}`;
    if (instrument === undefined) return [`${place} is not in the catalogue`];
    if (instrument.kind !== kinds[member]) return [`${place} is no ${kinds[member]}`];
    const foreign = keys.filter((key) => !instrument.attributes.includes(key));
    return foreign.map((key) => `${place}: ${key} is no attribute of it`);
  });
}

function meterCalls(tree: Tree) {
  return [...tree]
    .filter(([path]) => path.endsWith(".ts") && !path.startsWith("test/"))
    .flatMap(([path, code]) => factsOf(code).calls.map((call) => ({ path, ...call })))
    .filter(({ object, member }) => /meter$/i.test(object) && member in kinds);
}

describe("the code", () => {
  const tree = readTree(root);

  it("measures nothing the catalogue does not have", () => {
    expect(callFaults(tree)).toEqual([]);
  });

  it("measures everything the catalogue has", () => {
    const code = [...tree].filter(([path]) => /^(edge|collector|aggregator|shared|weir)/.test(path));
    const unused = catalogue.filter(
      ({ name }) =>
        !code.some(([path, file]) => path !== "shared/telemetry/catalogue.ts" && file.includes(`"${name}"`)),
    );
    expect(unused.map(({ name }) => name)).toEqual([]);
  });
});
