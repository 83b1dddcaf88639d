// The API's description (OpenAPI 3.1), made from the very schemas that check the questions.
import { z } from "zod";
import { problems } from "../../shared/problem.ts";
import { completenessParameters, completenessRow } from "../read/completeness.ts";
import { ledgerParameters, ledgerRow } from "../read/ledger.ts";
import { questions } from "../read/questions.ts";
import { reconcileParameters, reconcileRow } from "../read/reconcile.ts";
import { describeMe } from "./admit.ts";
import { auditMeta, describedAudit } from "./audit.ts";
import { describedLive, liveMeta } from "./live.ts";
import { answerResponses, ifNoneMatch } from "./openapi-answer.ts";
import { describeQuarantine } from "./openapi-quarantine.ts";

type Json = Record<string, unknown>;

const time = { type: "string", format: "date-time" };
const meta = {
  type: "object",
  required: ["from", "to", "as_of", "watermark"],
  properties: {
    from: { type: ["string", "null"], format: "date-time", description: "First moment, inclusive" },
    to: { type: ["string", "null"], format: "date-time", description: "Last moment, exclusive" },
    as_of: { ...time, description: "What was stored before this is in the answer" },
    watermark: { type: ["string", "null"], format: "date-time", description: "Greatest stored event_time" },
  },
};
const pageMeta = {
  ...meta,
  required: [...meta.required, "next_cursor"],
  properties: {
    ...meta.properties,
    next_cursor: { type: ["string", "null"], description: "Of the next page; null on the last" },
  },
};
const ledgerMeta = {
  ...meta,
  properties: {
    ...meta.properties,
    newest_stored_at: { type: ["string", "null"], format: "date-time" },
    unread_records: { type: "integer", description: "Records of the log not looked at, beyond in_flight" },
    unreadable: { type: ["string", "null"], description: "What of the log could not be read, in words" },
  },
};

/** The whole description as one JSON value. */
export function describeApi(version: string, hasToken: boolean): Json {
  const paths: Json = {};
  for (const question of questions) {
    paths[`/v1/${question.name}`] = operation(question, hasPages(question) ? pageMeta : meta, hasToken);
  }
  const ledger = { name: "ledger", summary: "What was received, and what became of it" };
  paths["/v1/ledger"] = operation(
    { ...ledger, parameters: ledgerParameters, row: ledgerRow },
    ledgerMeta,
    hasToken,
  );
  const arrived = { name: "completeness", summary: "How much of what clients numbered has arrived" };
  paths["/v1/completeness"] = operation(
    { ...arrived, parameters: completenessParameters, row: completenessRow },
    pageMeta,
    hasToken,
  );
  const proof = { name: "reconcile", summary: "Counts everything anew and proves the line" };
  const counted = { ...proof, parameters: reconcileParameters, row: reconcileRow };
  paths["/v1/reconcile"] = operation(counted, meta, hasToken);
  paths["/v1/live"] = operation(describedLive, liveMeta, hasToken);
  paths["/v1/audit"] = operation(describedAudit, auditMeta, hasToken);
  Object.assign(paths, describeQuarantine(hasToken), describeMe(hasToken));
  return {
    openapi: "3.1.0",
    info: { title: "Weir", version, description: "Questions about events that are counted exactly once." },
    paths,
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      schemas: { Problem: problemSchema },
    },
  };
}

interface Described {
  name: string;
  summary: string;
  parameters: z.ZodObject;
  row: z.ZodObject;
}

function operation(question: Described, metaSchema: Json, hasToken: boolean): Json {
  const answer = {
    type: "object",
    required: ["data", "meta"],
    properties: { data: { type: "array", items: jsonSchema(question.row, "output") }, meta: metaSchema },
  };
  return {
    get: {
      operationId: question.name,
      summary: question.summary,
      ...(hasToken ? { security: [{ token: [] }] } : {}),
      parameters: [
        ...Object.entries(question.parameters.shape).map(([name, rule]) =>
          parameter(name, rule as z.ZodType),
        ),
        ifNoneMatch,
      ],
      responses: answerResponses(
        {
          "application/json": { schema: answer },
          ...("format" in question.parameters.shape ? { "text/csv": { schema: { type: "string" } } } : {}),
          ...("once" in question.parameters.shape
            ? { "text/event-stream": { schema: { type: "string" } } }
            : {}),
        },
        hasPages(question),
      ),
    },
  };
}

const hasPages = ({ parameters }: Pick<Described, "parameters">): boolean => "cursor" in parameters.shape;

function parameter(name: string, rule: z.ZodType): Json {
  const { description, ...schema } = jsonSchema(rule, "input");
  const required = !rule.safeParse(undefined).success;
  return { name, in: "query", required, description, schema: { type: "string", ...schema } };
}

function jsonSchema(rule: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _, ...schema } = z.toJSONSchema(rule, { io, unrepresentable: "any" });
  return schema;
}

const problemSchema = {
  type: "object",
  required: ["type", "title", "status", "detail", "code", "retryable"],
  properties: {
    type: { type: "string", format: "uri" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    code: { type: "string", enum: Object.keys(problems) },
    retryable: { type: "boolean" },
  },
};
