// The two axes: dates that never collide, and values in few round steps.
import type uPlot from "uplot";
import type { ChartOptions } from "./chart.ts";

const daySeconds = 86_400;
// uPlot counts 30 days as a month and 365 as a year, and then steps by the calendar.
const dateSteps = [1, 2, 3, 4, 5, 7, 10, 15, 30, 60, 90, 120, 180, 365, 730, 1825, 3650].map(
  (days) => days * daySeconds,
);
const wholeSteps = Array.from({ length: 16 }, (_, power) =>
  [1, 2, 5].map((step) => step * 10 ** power),
).flat();

/** Room between two labels, in px: the widest date is "Sep 30", the widest value "-£1.5M". */
const dateSpacePx = 76;
const valueSpacePx = 44;
const valueWidthPx = 58;
const font = '12px Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif';

export function axesOf(options: () => ChartOptions, colors: { text: string; rule: string }): uPlot.Axis[] {
  const common = { stroke: colors.text, font, ticks: { show: false } };
  return [
    {
      ...common,
      grid: { show: false },
      size: 40,
      gap: 8,
      space: dateSpacePx,
      incrs: dateSteps,
      values: (_, splits, __, ___, step) => dateLabels(splits, step),
    },
    {
      ...common,
      grid: { stroke: colors.rule, width: 1 },
      size: valueWidthPx,
      gap: 8,
      space: valueSpacePx,
      ...stepsOf(options()),
      values: (_, splits) => splits.map((value) => options().format(value, true)),
    },
  ];
}

function stepsOf({ whole, steps }: ChartOptions): { incrs?: number[] } {
  if (steps !== undefined) return { incrs: [...steps] };
  return whole ? { incrs: wholeSteps } : {};
}

/** Months by name, days with their month; the year stands below where it begins. */
export function dateLabels(splits: readonly number[], step: number): string[] {
  let year = "";
  return splits.map((seconds) => {
    const date = new Date(seconds * 1000);
    const thisYear = String(date.getUTCFullYear());
    if (step >= 365 * daySeconds) return thisYear;
    const name =
      step >= 28 * daySeconds
        ? format({ month: "short" }, date)
        : format({ month: "short", day: "numeric" }, date);
    const below = thisYear === year ? "" : `\n${thisYear}`;
    year = thisYear;
    return `${name}${below}`;
  });
}

function format(options: Intl.DateTimeFormatOptions, date: Date): string {
  return new Intl.DateTimeFormat("en", { ...options, timeZone: "UTC" }).format(date);
}
