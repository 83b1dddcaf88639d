// Judges figures: against a bound, or against the same hours of the weeks before.
import { readFigure, unfoldedSince, windowBefore } from "./figure.ts";
import type { Looked, Measured } from "./measure.ts";
import { durationText, type FigureRule, liveWindowMsMax, type RuleOf } from "./rule.ts";

export async function judgeThreshold(rule: RuleOf<"threshold">, looked: Looked): Promise<Measured> {
  const isLive = rule.window <= liveWindowMsMax && rule.figure !== "sessions";
  const span = windowBefore(looked.now, rule.window, isLive);
  const waits = isLive ? null : await unfolded(rule, looked, [span]);
  if (waits !== null) return waits;
  const value = await readFigure(looked.tx, rule, span);
  const { above, below } = rule;
  const said = `${shown(value)} ${figureText(rule)} in ${durationText(rule.window)}`;
  if (above !== undefined) {
    const isBad = value > above;
    return {
      verdict: isBad ? "bad" : "good",
      value,
      detail: `${said}, ${isBad ? "" : "not "}above ${shown(above)}`,
    };
  }
  const bound = shown(below!);
  if (value >= below!) return { verdict: "good", value, detail: `${said}, not below ${bound}` };
  return await unlessBehind(looked, { verdict: "bad", value, detail: `${said}, below ${bound}` });
}

/** The value is the change in percent. Weeks before the first event are not compared with. */
export async function judgeChange(rule: RuleOf<"change">, looked: Looked): Promise<Measured> {
  const { tx, now } = looked;
  const span = windowBefore(now, rule.window, false);
  const own = rule.project === undefined ? tx`` : tx`where project_id = ${rule.project}`;
  // Seven days of the calendar, so that a change of clocks in between moves nothing.
  const earlier = await tx<{ to: number }[]>`
    select ends as to
    from (
      select (extract(epoch from (
        (to_timestamp(${span.to}::float8 / 1000) at time zone ${rule.tz}) - make_interval(days => 7 * week)
      ) at time zone ${rule.tz}) * 1000)::float8 as ends
      from generate_series(1, ${rule.weeks}::int) as week
    ) as weeks
    where ends - ${rule.window}::float8 >= (
      select extract(epoch from min(quarter)) * 1000 from quarter_counts ${own}
    )
    order by ends desc`;
  const spans = [span, ...earlier.map(({ to }) => ({ from: to - rule.window, to }))];
  const waits = await unfolded(rule, looked, spans);
  if (waits !== null) return waits;
  const [value, ...before] = await inTurn(spans, (one) => readFigure(tx, rule, one));
  if (before.length === 0) {
    return { verdict: "good", value: null, detail: "there is no earlier week to compare with" };
  }
  const usual = median(before);
  const said = `${shown(value!)} ${figureText(rule)} in ${durationText(rule.window)}, usually ${shown(usual)}`;
  if (Math.max(value!, usual) < rule.least) {
    return { verdict: "good", value: null, detail: `${said}: too few to compare` };
  }
  // Out of nothing everything is more.
  const percent = usual > 0 ? (100 * (value! - usual)) / usual : value! > 0 ? 100 * value! : 0;
  const detail = `${said}: ${percent < 0 ? "" : "+"}${shown(percent)} %`;
  if (rule.up !== undefined && percent >= rule.up) return { verdict: "bad", value: percent, detail };
  if (rule.down === undefined || percent > -rule.down) return { verdict: "good", value: percent, detail };
  return await unlessBehind(looked, { verdict: "bad", value: percent, detail });
}

async function unfolded(
  { project }: FigureRule,
  { tx, now }: Looked,
  spans: Parameters<typeof unfoldedSince>[2],
): Promise<Measured | null> {
  const since = await unfoldedSince(tx, project, spans, now);
  if (since === null) return null;
  const detail = `waits: events stored at ${new Date(since).toISOString()} are not in the figures yet`;
  return { verdict: "unknown", value: null, detail };
}

// Too few may only be too early to tell: what the log still holds was not counted.
async function unlessBehind(looked: Looked, found: Measured): Promise<Measured> {
  if (!(await looked.isBehind())) return found;
  return {
    ...found,
    verdict: "unknown",
    detail: `waits: ${found.detail}, but the log holds events not stored yet`,
  };
}

async function inTurn<One>(all: readonly One[], read: (one: One) => Promise<number>): Promise<number[]> {
  const found: number[] = [];
  for (const one of all) found.push(await read(one));
  return found;
}

/** One odd week among several moves it little. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1]! + sorted[Math.floor(half)]!) / 2;
}

export const shown = (value: number): string =>
  new Intl.NumberFormat("en", { maximumFractionDigits: Math.abs(value) < 100 ? 2 : 0 }).format(value);

function figureText({ figure, types, currency, project }: FigureRule): string {
  const what = figure === "revenue" ? `${currency} of revenue` : figure.replace("_", " ");
  const of = types === undefined ? "" : ` of ${types.join(", ")}`;
  return `${what}${of}${project === undefined ? "" : ` in ${project}`}`;
}
