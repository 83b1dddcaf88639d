// What event types weigh and what their payloads hold: where content grows that nobody asked for.
import type { TransactionSql } from "postgres";
import { z } from "zod";
import { countProperties, propertiesMax, valuesMax } from "./cardinality-properties.ts";
import { type Bounds, type ContentAsked, chooseEvents, type Sample, sampled } from "./cardinality-sample.ts";
import { usersOfTypes } from "./cardinality-users.ts";
import { canModel } from "./modelled.ts";
import { identifier, sharedParameters } from "./parameters.ts";
import { type AnswerRow, defineQuestion } from "./question.ts";
import type { Range } from "./range.ts";

/** Some 4 µs each to weigh. */
const weighed: Bounds = { readMax: 20_000, lookedMax: 10_000 };
/** Some 15 µs each to take apart. More are read, as what happens at one time often shares a value. */
const takenApart: Bounds = { readMax: 40_000, lookedMax: 4_000 };
const typesMax = 500;

const ofType = (words: string) => z.int().min(0).optional().describe(`by=type: ${words}`);
const ofProperty = (words: string) => z.int().min(0).optional().describe(`by=property: ${words}`);
const bytes = "as JSON text, of the events that were looked at";

export const cardinality = defineQuestion({
  name: "cardinality",
  summary: "What event types weigh, and what the properties of their payloads hold",
  parameters: z.strictObject({
    ...sharedParameters,
    type: identifier.optional().describe("One event type; all of them when absent"),
    by: z.enum(["type", "property"]).default("type").describe("What a row tells of"),
    limit: z.coerce
      .number()
      .int()
      .min(1)
      .max(typesMax)
      .default(100)
      .describe("Event types at most, the most frequent ones"),
  }),
  row: z.object({
    type: z.string(),
    events: z.int().min(0).describe("Events of the type"),
    sampled: z.int().min(0).describe("How many of them were looked at; bytes and properties are of these"),
    users: ofType("distinct people, of all events"),
    bytes: ofType("payloads of all events as JSON text; scaled where not all were looked at"),
    bytes_p50: ofType(`half of the payloads are no larger, ${bytes}`),
    bytes_p95: ofType(`95 % of the payloads are no larger, ${bytes}`),
    bytes_max: ofType(`the largest payload, ${bytes}`),
    stored_share: z
      .number()
      .optional()
      .describe("by=type: part of the bytes that rows of these types take, uncompressed; scaled likewise"),
    property: z
      .string()
      .optional()
      .describe("by=property: its name in the payload; within an object, with dots between"),
    present: ofProperty("events that have it"),
    values: ofProperty(`different values, up to ${valuesMax}; an object counts by what it holds`),
    values_more: z.boolean().optional().describe(`by=property: there are more than ${valuesMax}`),
    kinds: z.string().optional().describe("by=property: JSON types seen, comma-separated"),
    properties: ofProperty(`properties of the type, of which ${propertiesMax} are told`),
  }),
  isModelled: (asked, range) => canModel({ ...asked, users: "all" }, range),
  ask: async (tx, asked, range) => {
    const isWhole = asked.by === "type";
    const sample = await chooseEvents(tx, asked, range, isWhole ? weighed : takenApart);
    if (sample.types.length === 0) return [];
    return isWhole ? await weighTypes(tx, asked, range, sample) : await takeApart(tx, asked, range, sample);
  },
  metaOf: (rows) => {
    const types = [...new Map(rows.map((row) => [row["type"], row])).values()];
    const sum = (name: string): number => types.reduce((total, row) => total + Number(row[name]), 0);
    return { sampled: sum("sampled"), sampled_of: sum("events") };
  },
});

interface Weighed {
  type: string;
  sampled: number;
  bytes: number;
  quantiles: [number, number];
  bytes_max: number;
  row_bytes: number;
}

/** Of a type whose events have all expired. */
const nothing: Omit<Weighed, "type"> = {
  sampled: 0,
  bytes: 0,
  quantiles: [0, 0],
  bytes_max: 0,
  row_bytes: 0,
};

/** What a model has not seen yet may have been looked at. */
const lookedAt = (events: number, sampled: number) => ({ events: Math.max(events, sampled), sampled });

async function weighTypes(
  tx: TransactionSql,
  asked: ContentAsked,
  range: Range,
  sample: Sample,
): Promise<AnswerRow[]> {
  const columns = tx`octet_length(payload::text) as bytes, pg_column_size(events.*) as row_bytes`;
  const weights = await tx<Weighed[]>`
    select type, count(*)::float8 as sampled, sum(bytes)::float8 as bytes, max(bytes) as bytes_max,
      percentile_disc(array[0.5, 0.95]) within group (order by bytes) as quantiles,
      sum(row_bytes)::float8 as row_bytes
    from (${sampled(tx, asked, range, sample, columns)}) as looked
    group by type`;
  const users = await tx<{ type: string; users: number }[]>`
    ${usersOfTypes(
      tx,
      asked,
      range,
      sample.types.map(({ type }) => type),
    )}`;
  const weightOf = new Map(weights.map((row) => [row.type, row]));
  const people = new Map(users.map((row) => [row.type, row.users]));
  const rows = sample.types.map(({ type, events, scale }) => {
    const own = weightOf.get(type) ?? nothing;
    return { type, events, own, bytes: Math.round(own.bytes * scale), rowBytes: own.row_bytes * scale };
  });
  const total = rows.reduce((sum, { rowBytes }) => sum + rowBytes, 0);
  return rows.map(({ type, events, own, bytes, rowBytes }) => ({
    type,
    ...lookedAt(events, own.sampled),
    users: people.get(type) ?? 0,
    bytes,
    bytes_p50: own.quantiles[0],
    bytes_p95: own.quantiles[1],
    bytes_max: own.bytes_max,
    stored_share: total === 0 ? 0 : rowBytes / total,
  }));
}

async function takeApart(
  tx: TransactionSql,
  asked: ContentAsked,
  range: Range,
  sample: Sample,
): Promise<AnswerRow[]> {
  const held = await countProperties(tx, sampled(tx, asked, range, sample, tx`payload`));
  const properties = Map.groupBy(held, ({ type }) => type);
  return sample.types.flatMap(({ type, events }) =>
    (properties.get(type) ?? []).map((row) => ({
      type,
      ...lookedAt(events, row.sampled),
      ...{ property: row.property, present: row.present, kinds: row.kinds, properties: row.properties },
      values: Math.min(row.values, valuesMax),
      values_more: row.values > valuesMax,
    })),
  );
}
