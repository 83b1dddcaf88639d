// The quarantine's part of the API's description.
import { z } from "zod";
import {
  discardAnswer,
  discardBody,
  quarantinedEvent,
  quarantineParameters,
  quarantineRow,
  retryAnswer,
  retryBody,
} from "../read/quarantine-schema.ts";
import { answerResponses, ifNoneMatch } from "./openapi-answer.ts";

type Json = Record<string, unknown>;

const problem = { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } };
const refused = { description: "Refused, or not possible now", content: problem };
const asOf = { type: "string", format: "date-time" };

/** The paths under /v1/quarantine. */
export function describeQuarantine(hasToken: boolean): Json {
  const security = hasToken ? { security: [{ token: [] }] } : {};
  const sum = { type: "object", required: ["reason", "status", "events"] };
  const meta = {
    type: "object",
    required: ["as_of", "next_cursor", "sums", "records"],
    properties: {
      as_of: asOf,
      next_cursor: { type: ["string", "null"], description: "Of the next page; null on the last" },
      sums: { type: "array", items: sum },
      records: { type: "array", items: { type: "object", required: ["reason", "status", "records"] } },
    },
  };
  const list = answered({ type: "array", items: schemaOf(quarantineRow, "output") }, meta);
  const one = answered(schemaOf(quarantinedEvent, "output"), {
    type: "object",
    required: ["as_of"],
    properties: { as_of: asOf },
  });
  const id = { name: "id", in: "path", required: true, schema: { type: "string" } };
  const change = (operationId: string, summary: string, body: z.ZodType, answer: z.ZodType): Json => ({
    post: {
      operationId,
      summary,
      ...security,
      requestBody: { required: true, content: { "application/json": { schema: schemaOf(body, "input") } } },
      responses: responses(schemaOf(answer, "output")),
    },
  });
  return {
    "/v1/quarantine": {
      get: {
        operationId: "quarantine",
        summary: "Records kept whole, then events that were refused, each the newest first",
        ...security,
        parameters: [
          ...Object.entries(quarantineParameters.shape).map(([name, rule]) => parameter(name, rule)),
          ifNoneMatch,
        ],
        responses: answerResponses({ "application/json": { schema: list } }, true),
      },
    },
    "/v1/quarantine/{id}": {
      get: {
        operationId: "quarantined_event",
        summary: "One refused event or record whole, with what was done with it",
        ...security,
        parameters: [id],
        responses: responses(one),
      },
    },
    "/v1/quarantine/retry": change(
      "quarantine_retry",
      "Receives refused events anew, and writes records that can be read now, up to 500 at a time",
      retryBody,
      retryAnswer,
    ),
    "/v1/quarantine/discard": change(
      "quarantine_discard",
      "Marks refused events and records as not wanted; they stay counted",
      discardBody,
      discardAnswer,
    ),
  };
}

const answered = (data: Json, meta: Json): Json => ({
  type: "object",
  required: ["data", "meta"],
  properties: { data, meta },
});

const responses = (schema: Json): Json => ({
  200: { description: "The answer", content: { "application/json": { schema } } },
  default: refused,
});

function parameter(name: string, rule: z.ZodType): Json {
  const { description, ...schema } = schemaOf(rule, "input");
  return { name, in: "query", required: false, description, schema: { type: "string", ...schema } };
}

function schemaOf(rule: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _, ...schema } = z.toJSONSchema(rule, { io, unrepresentable: "any" });
  return schema;
}
