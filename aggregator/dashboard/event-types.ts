// The page of event types: what each weighs, and what the payloads of one hold.
import type { Answer } from "../read/answer.ts";
import { ask } from "./ask.ts";
import { createCard } from "./card.ts";
import { createScroll } from "./data-table.ts";
import { find, make } from "./element.ts";
import { type PropertyRow, propertyColumns, type TypeRow, typeColumns } from "./event-types-columns.ts";
import { formatBytes, formatCount } from "./format.ts";
import { type QuestionPage, tellEmpty } from "./question-page.ts";
import { createSortedTable, type SortChoice, type SortedColumn } from "./sorted-table.ts";

export const eventTypesPage: QuestionPage = {
  lead: "What payloads weigh and hold. Counts alone are shown: values may be personal.",
  offered: { elsewhere: ["type"] },
  intervalOf: () => "day",
  build(controls) {
    const types = createCard(find("answer"), "Event types");
    const properties = createCard(find("answer-2"), "Properties");
    properties.sum("");
    const open = (type: string): void => {
      controls.choose({ own: { ...controls.view.own, type } });
      find("answer-2").scrollIntoView({ block: "nearest" });
    };
    const typeTable = createSorted("Event types", typeColumns(open));
    const propertyTable = createSorted("Properties", propertyColumns);
    return {
      cards: [types, properties],
      async load(asked, signal) {
        const query = asked.shared;
        types.link("cardinality", { ...query, by: "type" });
        const weighed = await ask("cardinality", { ...query, by: "type" }, signal);
        if (signal.aborted) return undefined;
        const rows = weighed.data as readonly unknown[] as readonly TypeRow[];
        if (rows.length === 0) {
          for (const card of [types, properties]) tellEmpty(card, asked, weighed.meta, controls);
          return weighed.meta;
        }
        const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
        types.sum(`${formatBytes(bytes)} of payload`);
        types.body.replaceChildren(typeTable(rows), said(weighed.meta));
        types.show();
        const type = asked.view.own["type"] || rows[0]!.type;
        const detail = { ...query, by: "property", type };
        properties.link("cardinality", detail);
        const held = await ask("cardinality", detail, signal);
        if (signal.aborted) return undefined;
        const own = held.data as readonly unknown[] as readonly PropertyRow[];
        if (own.length === 0) {
          properties.tell({
            kind: "empty",
            title: `Nothing in the payloads of ${type}`,
            text: "Its events have none in this span.",
          });
        } else {
          const more = own[0]!.properties - own.length;
          const rest =
            more > 0
              ? ` ${formatCount(more)} rarer properties are not shown; are their names made of values?`
              : "";
          properties.sum(type);
          properties.body.replaceChildren(propertyTable(own), said(held.meta, rest));
          properties.show();
        }
        return weighed.meta;
      },
    };
  },
};

/** Keeps the order a person chose over all answers; the focus stays on the column. */
function createSorted<Row>(
  name: string,
  columns: readonly SortedColumn<Row>[],
): (rows: readonly Row[]) => HTMLElement {
  const place = createScroll(`${name}, row by row`, []);
  let sort: SortChoice = { column: "", isTurned: false };
  let shown: readonly Row[] = [];
  const draw = (): void => {
    place.replaceChildren(
      createSortedTable(name, columns, shown, sort, (wanted) => {
        sort = wanted;
        draw();
        const at = columns.findIndex(({ text }) => text === wanted.column);
        place.querySelectorAll<HTMLElement>("button.sort")[at]?.focus();
      }),
    );
  };
  return (rows) => {
    shown = rows;
    draw();
    return place;
  };
}

function said(meta: Answer["meta"], more = ""): HTMLElement {
  const [looked, all] = [Number(meta["sampled"]), Number(meta["sampled_of"])];
  const how =
    looked === all
      ? `All ${formatCount(all)} events were looked at.`
      : `${formatCount(looked)} of ${formatCount(all)} events were looked at, from quarter hours spread over the span.`;
  return make("p", "under key", `${how}${more}`);
}
