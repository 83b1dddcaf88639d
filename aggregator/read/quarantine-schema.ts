// The quarantine as the API takes and gives it: its parameters, its rows, and the bodies of what changes it.
import { z } from "zod";
import { filterRules, listRules, rowId } from "../quarantine/selection.ts";
import { cursorOf, limitOf } from "./cursor.ts";

const time = z.iso.datetime();

export const quarantineParameters = z.object({
  ...listRules,
  limit: limitOf(100, 1_000),
  cursor: cursorOf(z.tuple([rowId])),
});

export const quarantineRow = z.object({
  id: z.string(),
  project: z.string(),
  station: z.enum(["edge", "collector", "aggregator"]),
  weir_version: z.string(),
  reason: z.string(),
  pointer: z.string(),
  detail: z.string(),
  status: listRules.status.unwrap(),
  attempts: z.int(),
  batch_id: z.uuid().nullable().describe("Null for a record kept whole, whose id begins with an r"),
  index: z.int().nullable(),
  bytes: z.int(),
  received_at: time,
  quarantined_at: time,
  next_retry_at: time.nullable(),
  retry_batch_id: z.uuid().nullable(),
  retry_index: z.int().nullable(),
  retried_at: time.nullable(),
});

export const quarantinedEvent = quarantineRow.extend({
  original: z.string().nullable(),
  original_base64: z.string(),
  dialect: z.string(),
  history: z.array(
    z.object({
      at: time,
      action: z.string(),
      actor: z.string(),
      outcome: z.string(),
      why: z.string(),
      retry_batch_id: z.uuid().nullable(),
    }),
  ),
});

const chosen = {
  ids: z.array(rowId).min(1).max(500).optional().describe("Rows by their numbers"),
  all: z.literal(true).optional().describe("All that are open"),
  ...filterRules,
};

/** A slip must not mean everything: one says which, or that it is all. */
const isChosen = (asked: { ids?: unknown; all?: unknown; reason?: unknown }): boolean =>
  asked.ids !== undefined || asked.all !== undefined || asked.reason !== undefined;
const choose = "name ids, a reason, or all: true";

export const retryBody = z
  .strictObject({
    ...chosen,
    as_new: z.boolean().default(false).describe("Conflicts too, each under an identity of its own"),
  })
  .refine(isChosen, choose);

const why = z
  .string()
  .trim()
  .min(1)
  .max(1_000)
  .refine((text) => !text.includes("\u0000"), "must not have U+0000, which the store cannot keep")
  .describe("Why; it is kept");

export const discardBody = z.strictObject({ ...chosen, why }).refine(isChosen, choose);

const count = z.int();
const notOpen = z.array(z.string()).describe("Rows asked for by number that are not open");

export const retryAnswer = z.object({
  ok: z.boolean(),
  sent: count,
  stored: count,
  duplicate: count,
  quarantined: count.describe("Now another row of the quarantine"),
  refused_again: count,
  pending: count.describe("Sent, and not in the ledger yet"),
  needs_as_new: count.describe("Conflicts, and records under another batch's id, passed over"),
  records: z.object({ written: count, refused_again: count }).describe("Records that were kept whole"),
  not_open: notOpen,
  error: z.string().nullable(),
  rows: z.array(z.object({ id: z.string(), outcome: z.string(), detail: z.string() })),
});

export const discardAnswer = z.object({
  ok: z.boolean(),
  discarded: count.describe("Events"),
  records: count.describe("Records kept whole"),
  not_open: notOpen,
});
