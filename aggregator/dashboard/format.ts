// Numbers, money, dates and ages as the page writes them.
import { dayOf } from "./view.ts";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const formatCount = (count: number): string => whole.format(count);
export const formatCompact = (value: number): string => compact.format(value);

/** "812 B", "1.2 KB", "34 MB": thousands of thousands, as disks are sold. */
export function formatBytes(bytes: number): string {
  const unit = Math.min(4, Math.max(0, Math.floor((String(Math.round(bytes)).length - 1) / 3)));
  const value = bytes / 1000 ** unit;
  return `${unit > 0 && value < 10 ? value.toFixed(1) : whole.format(value)} ${["B", "KB", "MB", "GB", "TB"][unit]}`;
}

/** A rate: one decimal below ten, so that one event in ten seconds is seen. */
export function formatRate(perSecond: number): string {
  return perSecond > 0 && perSecond < 10 ? perSecond.toFixed(1) : whole.format(perSecond);
}

/** Money in its currency; a code that is none of ISO 4217's form stands behind the number. */
export function formatMoney(amount: number, currency: string | null, short = false): string {
  const form = short
    ? ({ notation: "compact", maximumFractionDigits: 1 } as const)
    : ({ minimumFractionDigits: 2, maximumFractionDigits: 2 } as const);
  if (currency !== null && /^[A-Za-z]{3}$/.test(currency)) {
    const style = { style: "currency", currency, currencyDisplay: "narrowSymbol" } as const;
    return new Intl.NumberFormat("en", { ...style, ...form }).format(amount);
  }
  const number = new Intl.NumberFormat("en", form).format(amount);
  return currency === null ? number : `${number} ${currency}`;
}

/** A share of a whole: "100%", "12.3%", "0.4%"; "–" of nothing. */
export function formatShare(part: number, whole: number): string {
  if (whole === 0) return "–";
  const share = (part / whole) * 100;
  // What is nearly nothing or nearly everything is not rounded into being so.
  if (share > 0 && share < 0.05) return "<0.1%";
  if (share < 100 && share > 99.95) return ">99.9%";
  return `${Number(share.toFixed(1))}%`;
}

/** A length of time given in seconds: "42 s", "4 min 12 s", "2 h 5 min". */
export function formatDuration(seconds: number, short = false): string {
  if (Number.isNaN(seconds)) return "–";
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole < 10 && whole !== seconds ? seconds.toFixed(1) : whole} s`;
  const [large, small, units] =
    whole < 3600
      ? [Math.floor(whole / 60), whole % 60, ["min", "s"]]
      : [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), ["h", "min"]];
  return small === 0 || short ? `${large} ${units[0]}` : `${large} ${units[0]} ${small} ${units[1]}`;
}

/** "4 s ago", "3 min ago", "2 h ago", then days. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 2) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  return `${formatCount(Math.floor(seconds / 86_400))} d ago`;
}

/** A bucket's name: "Fri, Dec 9, 2011", "Week of Dec 5, 2011" or "December 2011". */
export function formatBucket(bucket: string, interval: string): string {
  const date = new Date(`${bucket}T00:00:00Z`);
  if (interval === "month") return form({ month: "long", year: "numeric" }).format(date);
  const day = { day: "numeric", month: "short", year: "numeric" } as const;
  if (interval === "week") return `Week of ${form(day).format(date)}`;
  return form({ weekday: "short", ...day }).format(date);
}

/** A bucket's name where many stand below one another: "Dec 9, 2011" or "Dec 2011". */
export function formatPeriod(bucket: string, interval: string): string {
  const date = new Date(`${bucket}T00:00:00Z`);
  if (interval === "month") return form({ month: "short", year: "numeric" }).format(date);
  return form({ day: "numeric", month: "short", year: "numeric" }).format(date);
}

/** A moment in the page's time zone, to the second; its date only where that is not today. */
export function formatMoment(text: string, timeZone: string): string {
  const moment = new Date(text);
  const time = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" } as const;
  const date = { year: "numeric", month: "short", day: "numeric" } as const;
  const isToday = dayOf(moment, timeZone) === dayOf(new Date(), timeZone);
  return new Intl.DateTimeFormat("en", { ...(isToday ? {} : date), ...time, timeZone }).format(moment);
}

/** The day of a moment in the page's time zone, or its time where that is today. */
export function formatDay(text: string, timeZone: string): string {
  const moment = new Date(text);
  if (dayOf(moment, timeZone) === dayOf(new Date(), timeZone)) return formatMoment(text, timeZone);
  const date = { year: "numeric", month: "short", day: "numeric" } as const;
  return new Intl.DateTimeFormat("en", { ...date, timeZone }).format(moment);
}

function form(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("en", { ...options, timeZone: "UTC" });
}
