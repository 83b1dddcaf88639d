// One chart by uPlot: stacked bars or an area over calendar buckets, in the colours of the page.
import uPlot from "uplot";
import { axesOf } from "./axes.ts";
import type { Columns } from "./columns.ts";
import { formatBucket } from "./format.ts";

export interface ChartOptions {
  kind: "bars" | "area";
  interval: string;
  /** Whole numbers have no half-way lines between them. */
  whole: boolean;
  /** How far apart the lines may be, where that is no matter of tens. */
  steps?: readonly number[];
  format: (value: number, short: boolean) => string;
}

export interface Chart {
  draw(columns: Columns, options: ChartOptions): void;
  /** Moves the reading place by buckets; answers what stands there. */
  move(step: number): string;
  leave(): void;
  destroy(): void;
}

export const heightPx = 232;
const daySeconds = 86_400;

/** Names of the style's colours, in the order layers take them. */
export const layerColors = ["--layer-1", "--layer-2", "--layer-3", "--layer-4", "--layer-5", "--layer-6"];

export const colorOf = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Draws into `frame`; `onRead` is told the bucket under the pointer, null when it leaves. */
export function createChart(frame: HTMLElement, onRead: (at: number | null, left: number) => void): Chart {
  let plot: uPlot | undefined;
  let shown: Columns = { buckets: [], columns: [] };
  let options: ChartOptions | undefined;
  let shape = "";
  const observer = new ResizeObserver(() => plot?.setSize({ width: frame.clientWidth, height: heightPx }));
  observer.observe(frame);

  function read(at: number | null | undefined): void {
    if (plot === undefined || at === null || at === undefined) onRead(null, 0);
    else onRead(at, plot.valToPos(plot.data[0]![at]!, "x") + plot.over.offsetLeft);
  }

  return {
    draw(columns, wanted) {
      shown = columns;
      options = wanted;
      const names = columns.columns.map((column) => column.name).join("\n");
      // The colours are part of the shape: light and dark are other strokes, not another style sheet.
      const next = JSON.stringify([wanted.kind, wanted.interval, wanted.whole, names, colorOf("--ink")]);
      if (plot !== undefined && next === shape) return plot.setData(dataOf(columns));
      plot?.destroy();
      shape = next;
      plot = new uPlot(
        plotOptions(frame.clientWidth, columns, () => options!, read),
        dataOf(columns),
        frame,
      );
    },
    move(step) {
      const last = shown.buckets.length - 1;
      if (plot === undefined || last < 0) return "";
      const now = plot.cursor.idx ?? (step > 0 ? -1 : last + 1);
      const at = Math.min(last, Math.max(0, now + step));
      plot.setCursor({ left: plot.valToPos(plot.data[0]![at]!, "x"), top: 0 });
      const values = shown.columns.map(
        (column) => `${column.name} ${options!.format(column.values[at]!, false)}`,
      );
      return `${formatBucket(shown.buckets[at]!, options!.interval)}: ${values.join(", ")}`;
    },
    leave() {
      plot?.setCursor({ left: -10, top: -10 });
    },
    destroy() {
      observer.disconnect();
      plot?.destroy();
    },
  };
}

/** Layers lie on one another: each column is drawn as the sum of itself and those below it, widest first. */
function dataOf({ buckets, columns }: Columns): uPlot.AlignedData {
  const times = buckets.map((bucket) => Date.parse(`${bucket}T00:00:00Z`) / 1000);
  const below = new Array<number>(buckets.length).fill(0);
  const layers = columns.map((column) =>
    column.values.map((value, at) => {
      if (Number.isNaN(value)) return null;
      below[at]! += value;
      return below[at]!;
    }),
  );
  return [times, ...layers.reverse()];
}

function plotOptions(
  width: number,
  columns: Columns,
  options: () => ChartOptions,
  read: (at: number | null | undefined) => void,
): uPlot.Options {
  const isArea = options().kind === "area";
  const bucketSeconds = { day: 1, week: 7, month: 30 }[options().interval]! * daySeconds;
  const bars = uPlot.paths.bars!({ size: [0.74, 44], align: 0 });
  const layers = columns.columns.map((_, at): uPlot.Series => {
    const color = colorOf(layerColors[at]!);
    if (!isArea) return { fill: color, width: 0, paths: bars, points: { show: false } };
    // A point between two gaps would be no line at all.
    const few = columns.buckets.length < 3 || columns.columns[at]!.values.some(Number.isNaN);
    return { stroke: color, width: 2, fill: fadeOf(color), points: { show: few, size: 6, fill: color } };
  });
  return {
    width,
    height: heightPx,
    padding: [10, 6, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: isArea, size: 8, width: 2 } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    scales: {
      x: { range: (_, min, max) => [min - bucketSeconds * 0.6, max + bucketSeconds * 0.6] },
      y: { range: (_, min, max) => rangeOf(min, max) },
    },
    axes: axesOf(options, { text: colorOf("--muted"), rule: colorOf("--rule") }),
    series: [{}, ...layers.reverse()],
    hooks: { setCursor: [(plot) => read(plot.cursor.left! < 0 ? null : plot.cursor.idx)] },
  };
}

function rangeOf(min: number | null, max: number | null): [number, number] {
  const low = Math.min(0, min ?? 0);
  const high = Math.max(0, max ?? 0);
  return high === low ? [0, 1] : [low * 1.06, high * 1.06];
}

function fadeOf(color: string): (plot: uPlot) => CanvasGradient {
  return (plot) => {
    const { top, height } = plot.bbox;
    const fade = plot.ctx.createLinearGradient(0, top, 0, top + height);
    fade.addColorStop(0, `${color}40`);
    fade.addColorStop(1, `${color}05`);
    return fade;
  };
}
