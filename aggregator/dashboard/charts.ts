// The three charts of the overview: events by type, people, and revenue, each asked and drawn by itself.
import type { AnswerRow } from "../read/question.ts";
import { ask, Refusal } from "./ask.ts";
import type { Controls } from "./controls.ts";
import { find, make } from "./element.ts";
import { createPanel } from "./panel.ts";
import { currenciesOf, drawEvents, drawRevenue, drawUsers, type Span } from "./series.ts";
import { type RangeName, spanOf } from "./view.ts";

export interface Charts {
  /**
   * Asks and draws all, and answers up to when all of it is right; rejects only where the page as a whole
   * cannot go on.
   */
  draw(range: RangeName, signal: AbortSignal): Promise<string>;
  /** Draws what is shown again, after light became dark. */
  redraw(): void;
}

export function createCharts(controls: Controls): Charts {
  const events = createPanel(find("events"), "Events");
  const users = createPanel(find("users"), "Active users");
  const revenue = createPanel(find("revenue"), "Revenue");
  const currencies = make("select", "");
  currencies.setAttribute("aria-label", "Currency");
  currencies.addEventListener("change", () => {
    controls.choose({ own: { ...controls.view.own, currency: currencies.value } });
  });
  revenue.controls.append(currencies);

  function showRevenue(rows: readonly AnswerRow[], span: Span): void {
    find("revenue").hidden = rows.length === 0;
    if (rows.length === 0) return;
    const known = currenciesOf(rows);
    const wanted = controls.view.own["currency"] ?? "";
    const chosen = known.includes(wanted) ? wanted : known[0]!;
    currencies.hidden = known.length < 2;
    currencies.replaceChildren(...known.map((name) => new Option(name || "no currency", name)));
    currencies.value = chosen;
    drawRevenue(revenue, rows, span, chosen);
  }

  return {
    redraw() {
      for (const panel of [events, users, revenue]) panel.redraw();
    },
    async draw(range, signal) {
      const { zone, project, users: kind, interval = "day" } = controls.view;
      const span = { ...spanOf(controls.view, range, new Date()), interval };
      const query = { ...span, tz: zone, ...(project === "" ? {} : { project }) };
      const panels = [
        [events, "events", {}, (rows: readonly AnswerRow[]) => drawEvents(events, rows, span)],
        [
          users,
          "active-users",
          { users: kind },
          (rows: readonly AnswerRow[]) => drawUsers(users, rows, span),
        ],
        [revenue, "revenue", {}, (rows: readonly AnswerRow[]) => showRevenue(rows, span)],
      ] as const;
      const told = await Promise.all(
        panels.map(async ([panel, question, extra, drawRows]) => {
          panel.busy();
          panel.link(question, { ...query, ...extra });
          try {
            const { data, meta } = await ask(question, { ...query, ...extra }, signal);
            if (signal.aborted) return meta.as_of;
            if (data.length > 0) drawRows(data);
            else panel.tell({ kind: "empty", title: "Nothing in this range" });
            if (panel === revenue) find("revenue").hidden = data.length === 0;
            return meta.as_of;
          } catch (error) {
            // A question that is refused speaks in its own chart; a store that is away, for the page.
            if (!(error instanceof Refusal) || error.status === 0 || error.status === 401) throw error;
            panel.tell({ kind: "error", title: error.title, text: error.message, code: error.code });
            return new Date().toISOString();
          }
        }),
      );
      return told.toSorted()[0]!;
    },
  };
}
