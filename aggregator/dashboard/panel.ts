// A chart in its card: the legend, the reading line, and the table of its numbers.
import { type Card, createCard } from "./card.ts";
import { type ChartOptions, createChart, layerColors } from "./chart.ts";
import { type Columns, sum } from "./columns.ts";
import { createNumbers, createTable } from "./data-table.ts";
import { make, write } from "./element.ts";
import { formatBucket } from "./format.ts";

export interface Panel extends Card {
  draw(columns: Columns, options: ChartOptions, total: string): void;
  /** Draws the same again, in whatever the colours are now. */
  redraw(): void;
}

/** Fills a section of the page. */
export function createPanel(section: HTMLElement, title: string): Panel {
  section.classList.add("panel");
  const card = createCard(section, title);
  const legend = make("ul", "legend");
  const frame = make("div", "frame");
  const tip = make("div", "tip");
  tip.hidden = true;
  const spoken = make("p", "unseen");
  spoken.setAttribute("aria-live", "polite");
  const chart = make("div", "chart", [frame, tip]);
  chart.tabIndex = 0;
  chart.setAttribute("role", "group");
  chart.setAttribute("aria-label", `${title}: chart. The left and right keys read it bucket by bucket.`);
  const numbers = createNumbers(title);
  card.body.append(legend, chart, spoken, numbers.element);

  let shown: Columns = { buckets: [], columns: [] };
  let options: ChartOptions | undefined;
  const plot = createChart(frame, (at, left) => {
    const bucket = at === null ? undefined : shown.buckets[at];
    tip.hidden = bucket === undefined;
    if (bucket === undefined || options === undefined) return;
    fillTip(tip, bucket, shown, at!, options);
    const width = tip.offsetWidth;
    const room = chart.clientWidth;
    tip.style.left = `${left + width + 20 > room ? Math.max(0, left - width - 12) : left + 12}px`;
  });
  chart.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    write(spoken, plot.move(step));
  });
  chart.addEventListener("blur", () => plot.leave());

  return {
    ...card,
    draw(columns, wanted, total) {
      shown = columns;
      options = wanted;
      card.sum(total);
      card.show();
      fillLegend(legend, columns, wanted);
      plot.draw(columns, wanted);
      numbers.set(() => tableOf(title, columns, wanted));
    },
    redraw() {
      if (options !== undefined) plot.draw(shown, options);
    },
  };
}

/** The newest bucket first: that is the one a person looks for. */
function tableOf(title: string, { buckets, columns }: Columns, options: ChartOptions): HTMLTableElement {
  const headings = columns.map(({ name }) => ({ text: name, isNumber: true }));
  const rows = buckets.map((bucket, at) => [
    formatBucket(bucket, options.interval),
    ...columns.map(({ values }) => options.format(values[at]!, false)),
  ]);
  return createTable(title, [{ text: "Bucket" }, ...headings], rows.reverse());
}

function fillTip(
  tip: HTMLElement,
  bucket: string,
  { columns }: Columns,
  at: number,
  options: ChartOptions,
): void {
  const lines = columns.map((column, layer) => {
    const label = columns.length > 1 ? column.name : "";
    return line(layer, label, options.format(column.values[at]!, false), columns.length > 1);
  });
  if (columns.length > 1) {
    const all = sum(columns.map((column) => column.values[at]!));
    lines.push(make("li", "sum", [make("span", "", "total"), make("b", "", options.format(all, false))]));
  }
  tip.replaceChildren(make("p", "", formatBucket(bucket, options.interval)), make("ul", "", lines));
}

function fillLegend(legend: HTMLElement, { columns }: Columns, options: ChartOptions): void {
  legend.hidden = columns.length < 2;
  legend.replaceChildren(
    ...columns.map((column, layer) =>
      line(layer, column.name, options.format(sum(column.values), false), true),
    ),
  );
}

function line(layer: number, name: string, value: string, isMarked: boolean): HTMLElement {
  const mark = make("i", "mark");
  mark.style.background = `var(${layerColors[layer]})`;
  return make("li", "", [...(isMarked ? [mark] : []), make("span", "", name), make("b", "", value)]);
}
