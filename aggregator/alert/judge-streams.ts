// Judges completeness: how much of what clients numbered has not come, of the streams seen lately.
import { shown } from "./judge-figure.ts";
import type { Looked, Measured } from "./measure.ts";
import { durationText, type RuleOf } from "./rule.ts";

/** The value is the gap in events; losses that clients declare themselves are none. */
export async function judgeStreams(rule: RuleOf<"completeness">, { tx, now }: Looked): Promise<Measured> {
  const [row] = await tx<[{ expected: number; gap: number }]>`
    select coalesce(sum(expected), 0)::float8 as expected, coalesce(sum(gap), 0)::float8 as gap
    from stream_counts
    where last_time >= to_timestamp(${now - rule.window}::float8 / 1000)
      ${rule.project === undefined ? tx`` : tx`and project_id = ${rule.project}`}`;
  const { expected, gap } = row;
  const percent = expected === 0 ? 0 : (100 * gap) / expected;
  const where = rule.project === undefined ? "" : ` in ${rule.project}`;
  const said = `${shown(gap)} of ${shown(expected)} numbered events${where} are missing (${shown(percent)} %), in streams of the last ${durationText(rule.window)}`;
  if (expected < rule.least) return { verdict: "good", value: gap, detail: `${said}: too few to judge` };
  const isBad =
    (rule.gap_above !== undefined && gap > rule.gap_above) ||
    (rule.percent_above !== undefined && percent > rule.percent_above);
  return { verdict: isBad ? "bad" : "good", value: gap, detail: said };
}
