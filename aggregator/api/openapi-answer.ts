// What all answers have in common in the API's description: their headers, and 304 where nothing changed.

type Json = Record<string, unknown>;

const text = (description: string): Json => ({ description, schema: { type: "string" } });

const validators = {
  ETag: text("Weak; the same as long as rows, span, watermark and next page are"),
  "Cache-Control": text("private, no-cache; no-store where rows tell of people"),
  Vary: text("authorization"),
  "weir-as-of": text("meta.as_of, also where nothing changed"),
  "weir-watermark": text("meta.watermark; empty where there is none"),
};

const ofPages = {
  "weir-next-cursor": text("meta.next_cursor, where another page follows"),
  Link: text('The next page, with rel="next" (RFC 8288)'),
};

/** A parameter of every question: a tag that the asker has an answer of. */
export const ifNoneMatch: Json = {
  name: "If-None-Match",
  in: "header",
  required: false,
  description: "Tag of an answer; 304 and no body where it would be the same",
  schema: { type: "string" },
};

/** The responses of a question; `content` is that of its answer. */
export function answerResponses(content: Json, hasPages: boolean): Json {
  const headers = hasPages ? { ...validators, ...ofPages } : validators;
  const problem = { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } };
  return {
    200: { description: "The answer", headers, content },
    304: { description: "The answer is the one If-None-Match names", headers },
    default: { description: "Refused, or not possible now", content: problem },
  };
}
