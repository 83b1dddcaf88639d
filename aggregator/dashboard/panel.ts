// A chart with its title, its total, its legend, its reading line and its states.
import { type ChartOptions, createChart, layerColors } from "./chart.ts";
import { type Columns, sum } from "./columns.ts";
import { make, write } from "./element.ts";
import { formatBucket } from "./format.ts";

export interface Panel {
  show(columns: Columns, options: ChartOptions, total: string): void;
  /** Words in the chart's place: loading, nothing there, or what went wrong. */
  say(text: string): void;
  /** Draws the same again, in whatever the colours are now. */
  redraw(): void;
  /** A switch or a choice beside the title. */
  readonly controls: HTMLElement;
}

/** Fills a section of the page; `download` hands out the panel's numbers as CSV. */
export function createPanel(section: HTMLElement, title: string, download: () => void): Panel {
  const heading = make("h2", "", title);
  heading.id = `${section.id}-title`;
  const figure = make("p", "total", "–");
  const controls = make("div", "tools");
  const button = make("button", "quiet", "CSV");
  button.type = "button";
  button.setAttribute("aria-label", `Download ${title.toLowerCase()} as CSV`);
  button.addEventListener("click", download);
  const legend = make("ul", "legend");
  const frame = make("div", "frame");
  const tip = make("div", "tip");
  tip.hidden = true;
  const spoken = make("p", "unseen");
  spoken.setAttribute("aria-live", "polite");
  const words = make("p", "words", "Loading");
  const chart = make("div", "chart", [frame, words, tip]);
  chart.tabIndex = 0;
  chart.setAttribute("role", "group");
  chart.setAttribute("aria-label", `${title}: chart. The left and right keys read it bucket by bucket.`);
  const side = make("div", "side", [controls, button]);
  section.append(make("div", "head", [make("div", "", [heading, figure]), side]), legend, chart, spoken);

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
    controls,
    show(columns, wanted, total) {
      shown = columns;
      options = wanted;
      write(figure, total);
      words.hidden = true;
      frame.classList.remove("faded");
      fillLegend(legend, columns, wanted);
      plot.draw(columns, wanted);
    },
    redraw() {
      if (options !== undefined) plot.draw(shown, options);
    },
    say(text) {
      write(words, text);
      words.hidden = false;
      frame.classList.add("faded");
    },
  };
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
