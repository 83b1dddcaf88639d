// The columns of the two tables of event types, and what is worth a warning in them.
import { make } from "./element.ts";
import { formatBytes, formatCount, formatShare } from "./format.ts";
import type { SortedColumn } from "./sorted-table.ts";

export interface TypeRow {
  type: string;
  events: number;
  sampled: number;
  users: number;
  bytes: number;
  bytes_p50: number;
  bytes_p95: number;
  bytes_max: number;
  stored_share: number;
}

export interface PropertyRow {
  type: string;
  events: number;
  sampled: number;
  property: string;
  present: number;
  values: number;
  values_more: boolean;
  kinds: string;
  properties: number;
}

/** Payloads of this size fill a batch of 2 MiB before it has its 500 events. */
const largeBytes = 4 * 1024;
/** Of fewer events it is no wonder that each has its own value. */
const manyEvents = 1_000;
/** A part of all values that only ids, times and free text come to. */
const ownValues = 0.9;

/** What is worth a warning, in a few words; "" where nothing is. */
export function warningOfType({ bytes_p95 }: TypeRow): string {
  return bytes_p95 > largeBytes ? "large payloads" : "";
}

export function warningOfProperty({ values, values_more, present, kinds }: PropertyRow): string {
  if (values_more) return "more values than counted";
  if (present >= manyEvents && values > present * ownValues) return "a value of its own for each event";
  return kinds.split(", ").filter((kind) => kind !== "null").length > 1 ? "several kinds" : "";
}

const number = <Row>(
  text: string,
  order: (row: Row) => number,
  format: (value: number) => string = formatCount,
): SortedColumn<Row> => ({ text, isNumber: true, order, cell: (row) => format(order(row)) });

const warning = <Row>(of: (row: Row) => string): SortedColumn<Row> => ({
  text: "Warning",
  order: (row) => (of(row) === "" ? "~" : of(row)),
  cell: (row) => (of(row) === "" ? "" : make("span", "warning", of(row))),
});

/** `open` shows the properties of a type. */
export function typeColumns(open: (type: string) => void): SortedColumn<TypeRow>[] {
  return [
    {
      text: "Type",
      order: ({ type }) => type,
      cell({ type }) {
        const button = make("button", "link", type);
        button.type = "button";
        button.addEventListener("click", () => open(type));
        return button;
      },
    },
    number("Events", ({ events }) => events),
    number("People", ({ users }) => users),
    number("Bytes", ({ bytes }) => bytes, formatBytes),
    number("Median", ({ bytes_p50 }) => bytes_p50, formatBytes),
    number("95 %", ({ bytes_p95 }) => bytes_p95, formatBytes),
    number("Largest", ({ bytes_max }) => bytes_max, formatBytes),
    number(
      "Of the store",
      ({ stored_share }) => stored_share,
      (share) => formatShare(share, 1),
    ),
    warning(warningOfType),
  ];
}

export const propertyColumns: readonly SortedColumn<PropertyRow>[] = [
  { text: "Property", order: ({ property }) => property, cell: ({ property }) => property },
  number("Events with it", ({ present }) => present),
  {
    text: "Of all",
    isNumber: true,
    order: ({ present, sampled }) => present / sampled,
    cell: ({ present, sampled }) => formatShare(present, sampled),
  },
  {
    text: "Values",
    isNumber: true,
    order: ({ values, values_more }) => values + (values_more ? 1 : 0),
    cell: ({ values, values_more }) => `${values_more ? "> " : ""}${formatCount(values)}`,
  },
  { text: "Kinds", order: ({ kinds }) => kinds, cell: ({ kinds }) => kinds },
  warning(warningOfProperty),
];
