// The page of sessions: how many began, and how long they lasted.
import { ask } from "./ask.ts";
import { spread } from "./columns.ts";
import { find } from "./element.ts";
import { formatCompact, formatCount, formatDuration } from "./format.ts";
import { createPanel } from "./panel.ts";
import { type QuestionPage, tellEmpty } from "./question-page.ts";

const by = {
  name: "by",
  label: "A session is",
  options: [
    ["gap", "events at most 30 minutes apart"],
    ["session_id", "events with one session_id"],
  ],
} as const;

/** Round lengths of time, in seconds, for the lines of an axis. */
const durationSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400];

export const sessionsPage: QuestionPage = {
  lead: "Visits, each counted where it begins; its length is from its first event to its last.",
  offered: { interval: true, users: true, types: true, own: [by] },
  intervalOf: () => "day",
  build(controls) {
    const begun = createPanel(find("answer"), "Sessions begun");
    const lasted = createPanel(find("answer-2"), "Average length");
    return {
      cards: [begun, lasted],
      redraw() {
        begun.redraw();
        lasted.redraw();
      },
      async load(asked, signal) {
        const query = { ...asked.shared, interval: asked.interval, by: asked.view.own["by"] || "gap" };
        for (const panel of [begun, lasted]) panel.link("sessions", query);
        // An average of averages would be none: the whole span is asked for by itself.
        const [{ data, meta }, total] = await Promise.all([
          ask("sessions", query, signal),
          ask("sessions", { ...query, interval: "total" }, signal),
        ]);
        if (signal.aborted) return undefined;
        const whole = total.data[0];
        if (data.length === 0 || whole === undefined) {
          for (const panel of [begun, lasted]) tellEmpty(panel, asked, meta, controls);
          return meta;
        }
        const { interval } = asked;
        const format = (value: number, short: boolean): string =>
          short ? formatCompact(value) : formatCount(value);
        const counts = spread(data, "sessions", undefined, asked);
        begun.draw(
          counts,
          { kind: "bars", interval, whole: true, format },
          formatCount(Number(whole["sessions"])),
        );
        const seconds = spread(data, "avg_duration_sec", undefined, asked, Number.NaN);
        const named = seconds.columns.map((column) => ({ ...column, name: "average length" }));
        const average = whole["avg_duration_sec"];
        lasted.draw(
          { ...seconds, columns: named },
          { kind: "area", interval, whole: false, steps: durationSteps, format: formatDuration },
          typeof average === "number" ? formatDuration(average) : "–",
        );
        return meta;
      },
    };
  },
};
