// Tables: a plain one from texts, and one that is folded away below a chart.
import { make } from "./element.ts";

/** A column's head; numbers stand at the right. */
export interface Heading {
  text: string;
  isNumber?: boolean;
}

/** Each row begins with its own head. */
export function createTable(
  caption: string,
  headings: readonly Heading[],
  rows: readonly (readonly (string | Node)[])[],
): HTMLTableElement {
  const head = headings.map(({ text, isNumber }) => {
    const cell = make("th", isNumber ? "number" : "", text);
    cell.scope = "col";
    return cell;
  });
  const body = rows.map((row) => {
    const cells = row.map((content, at) => {
      const cell = make(at === 0 ? "th" : "td", headings[at]?.isNumber ? "number" : "");
      cell.append(content);
      return cell;
    });
    if (cells[0] !== undefined) (cells[0] as HTMLTableCellElement).scope = "row";
    return make("tr", "", cells);
  });
  return make("table", "", [
    make("caption", "unseen", caption),
    make("thead", "", [make("tr", "", head)]),
    make("tbody", "", body),
  ]);
}

/** What may be wider than the page is moved sideways in itself, by the keyboard too. */
export function createScroll(label: string, content: readonly Node[]): HTMLElement {
  const scroll = make("div", "scroll", content);
  scroll.tabIndex = 0;
  scroll.setAttribute("role", "region");
  scroll.setAttribute("aria-label", label);
  return scroll;
}

/** The numbers of a chart; the table is made only where somebody unfolds it. */
export function createNumbers(title: string): {
  element: HTMLElement;
  set(fill: () => HTMLTableElement): void;
} {
  const place = make("div", "");
  const element = make("details", "numbers", [make("summary", "", "Numbers"), place]);
  let made: (() => HTMLTableElement) | undefined;
  const draw = (): void => {
    if (element.open && made !== undefined)
      place.replaceChildren(createScroll(`${title}: numbers`, [made()]));
  };
  element.addEventListener("toggle", draw);
  return {
    element,
    set(fill) {
      made = fill;
      draw();
    },
  };
}
