// The page of revenue: what each day, week or month brought, one currency at a time.
import type { AnswerRow } from "../read/question.ts";
import { ask } from "./ask.ts";
import { find, make } from "./element.ts";
import { createPanel } from "./panel.ts";
import { type Asked, type QuestionPage, tellEmpty } from "./question-page.ts";
import { currenciesOf, drawRevenue } from "./series.ts";

export const revenuePage: QuestionPage = {
  lead: "The sum of revenue over all events, what was given back included. Currencies are never added up.",
  offered: { interval: true, types: true, elsewhere: ["currency"] },
  intervalOf: () => "day",
  build(controls) {
    const panel = createPanel(find("answer"), "Revenue over time");
    const currencies = make("select", "");
    currencies.setAttribute("aria-label", "Currency");
    currencies.hidden = true;
    panel.controls.append(currencies);
    currencies.addEventListener("change", () => controls.choose({ own: { currency: currencies.value } }));

    function show(rows: readonly AnswerRow[], asked: Asked): void {
      const known = currenciesOf(rows);
      const wanted = asked.view.own["currency"] ?? "";
      const chosen = known.includes(wanted) ? wanted : known[0]!;
      currencies.hidden = known.length < 2;
      currencies.replaceChildren(...known.map((name) => new Option(name || "no currency", name)));
      currencies.value = chosen;
      drawRevenue(panel, rows, asked, chosen);
    }

    return {
      cards: [panel],
      redraw: panel.redraw,
      async load(asked, signal) {
        const query = { ...asked.shared, interval: asked.interval };
        panel.link("revenue", query);
        const { data, meta } = await ask("revenue", query, signal);
        if (signal.aborted) return undefined;
        if (data.length > 0) show(data, asked);
        else if (meta.watermark === null) tellEmpty(panel, asked, meta, controls);
        else {
          panel.tell({
            kind: "empty",
            title: "No revenue in this span",
            text: "Money is read from payload.revenue, with its currency beside it:",
            command: '{"type":"purchase","user_id":"ada","payload":{"revenue":9.5,"currency":"EUR"}}',
          });
        }
        return meta;
      },
    };
  },
};
