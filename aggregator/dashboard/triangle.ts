// The triangle of retention: a table whose cells are as dark as the part of the cohort that came back.
import { bucketAt } from "./columns.ts";
import { createTable } from "./data-table.ts";
import { make } from "./element.ts";
import { formatCount, formatPeriod, formatShare } from "./format.ts";
import { addDays, dayOf, type Interval } from "./view.ts";

/** A row of the answer: `retained[k]` people of the cohort were there k periods later, itself being 0. */
export interface Cohort {
  cohort: string;
  size: number;
  retained: readonly number[];
  /** Only where cohorts are split. */
  breakdown?: string | null;
}

interface Shown {
  interval: Interval;
  asShare: boolean;
  /** The answer's own time: the period it lies in is not over. */
  today: string;
  zone: string;
}

/** Shades from pale to full; the style knows as many. */
const shades = 8;

export function createTriangle(
  cohorts: readonly Cohort[],
  name: string,
  { interval, asShare, today, zone }: Shown,
): HTMLTableElement {
  const width = Math.max(...cohorts.map(({ retained }) => retained.length));
  const now = bucketAt(dayOf(new Date(today), zone), interval);
  const rows = cohorts.map(({ cohort, size, retained }) => {
    let bucket = cohort;
    const cells = Array.from({ length: width }, (_, later) => {
      const came = retained[later];
      const isOpen = bucket === now;
      bucket = nextBucket(bucket, interval);
      if (came === undefined) return "";
      const text = asShare ? formatCellShare(came, size) : formatCount(came);
      const cell = make("span", isOpen ? "cell open" : "cell", text);
      cell.dataset["shade"] = String(shadeOf(came, size));
      cell.title = `${formatPeriod(cohort, interval)}, ${later} ${later === 1 ? interval : `${interval}s`} later: ${formatCount(came)} of ${formatCount(size)}, ${formatShare(came, size)}`;
      return cell;
    });
    return [formatPeriod(cohort, interval), formatCount(size), ...cells];
  });
  const later = Array.from({ length: width }, (_, at) => ({ text: String(at), isNumber: true }));
  const period = interval[0]!.toUpperCase() + interval.slice(1);
  const headings = [{ text: "Cohort" }, { text: "People", isNumber: true }, ...later];
  const table = createTable(`Retention by ${interval}${name === "" ? "" : `: ${name}`}`, headings, rows);
  table.classList.add("triangle");
  for (const [at, head] of [...table.tHead!.rows[0]!.cells].entries()) {
    if (at > 1) head.setAttribute("aria-label", `${period} ${at - 2}`);
  }
  return table;
}

/** Whole percents keep the columns narrow; what came back at all is never nought. */
function formatCellShare(part: number, whole: number): string {
  const share = (part / whole) * 100;
  if (share > 0 && share < 1) return "<1%";
  if (share > 99 && share < 100) return "99%";
  return `${Math.round(share)}%`;
}

// The square root parts the low shares, where most of a triangle lies.
function shadeOf(part: number, whole: number): number {
  return part === 0 ? 0 : Math.max(1, Math.round(Math.sqrt(part / whole) * shades));
}

function nextBucket(bucket: string, interval: Interval): string {
  if (interval === "month") return bucketAt(addDays(bucket, 32), "month");
  return addDays(bucket, interval === "week" ? 7 : 1);
}
