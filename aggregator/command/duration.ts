// A length of time as a person types it: a number with its unit behind it.
import { MisuseError } from "../../shared/command.ts";

const dayMs = 86_400_000;
const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: dayMs };

/** Such as 30m, 24h or 7d, in milliseconds. Throws a MisuseError that names the flag. */
export function durationOf(flag: string, text: string, daysMax: number): number {
  const [, count = "", unit = ""] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (unitMs[unit] ?? Number.NaN);
  if (count !== "" && ms <= daysMax * dayMs) return ms;
  throw new MisuseError(`${flag}: a number with s, m, h or d behind it, ${daysMax} days at most`);
}
