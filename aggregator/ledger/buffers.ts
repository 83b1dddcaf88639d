// What lies in the buffers of edges: acknowledged, and with no collector yet for certain.
import { z } from "zod";
import { fromHex, toUuid } from "../../shared/event/bytes.ts";
import type { SpoolContent } from "../../shared/spool/read.ts";
import { createSigner, type Signer, signatureHeader } from "../../shared/wire/signature.ts";

export interface BufferSettings {
  /** Addresses of edges that have a buffer. */
  edges: readonly string[];
  /** What signs the question; edges tell nobody else. */
  secrets: readonly string[];
}

/** `places` names edges that could not be asked, and those that keep what no collector will take. */
export interface Buffered extends Pick<SpoolContent, "batches" | "unreadable"> {
  places: string[];
}

const pageShape = z.object({
  data: z
    .array(
      z.object({
        batch_id: z.string().regex(/^[0-9a-fA-F]{32}$/),
        project: z.string(),
        received_at: z.number(),
        events: z.int().min(1),
        refused: z.string().nullable(),
      }),
    )
    .max(10_000),
  cursor: z.string().nullable(),
});

const askMsMax = 10_000;
/** At 1,000 batches a page, more than the largest buffer holds of the smallest batches. */
const pagesMax = 10_000;

/** Asks every edge. One that cannot be asked is named and counts as unreadable: it is never nought. */
export async function readBuffers({ edges, secrets }: BufferSettings): Promise<Buffered> {
  const all: Buffered = { batches: new Map(), unreadable: 0, places: [] };
  if (edges.length === 0) return all;
  const signer = secrets.length === 0 ? undefined : await createSigner(secrets);
  for (const edge of edges) {
    try {
      if (signer === undefined) throw new Error("WEIR_EDGE_SECRET is not set");
      const refused = await readOne(edge, signer, all);
      if (refused === 0) continue;
      all.unreadable += refused;
      all.places.push(`${edge}: ${refused} batches that the collector refused for good`);
    } catch (error) {
      all.unreadable += 1;
      all.places.push(
        `${edge}: ${error instanceof z.ZodError ? "the answer is no page of batches" : String(error)}`,
      );
    }
  }
  return all;
}

// Answers how many of its batches no collector will take.
async function readOne(edge: string, signer: Signer, all: Buffered): Promise<number> {
  let refused = 0;
  let cursor: string | null = "";
  for (let page = 0; cursor !== null; page += 1) {
    if (page === pagesMax) throw new Error(`more than ${pagesMax} pages`);
    const query: string = cursor === "" ? "" : `?cursor=${encodeURIComponent(cursor)}`;
    const signature = await signer.sign(new Uint8Array(), Date.now());
    const response: Response = await fetch(`${edge.replace(/\/+$/, "")}/v1/buffer/batches${query}`, {
      headers: { [signatureHeader]: signature },
      signal: AbortSignal.timeout(askMsMax),
    });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    const answer: z.output<typeof pageShape> = pageShape.parse(await response.json());
    for (const { batch_id: id, project, received_at: receivedAt, events, refused: why } of answer.data) {
      all.batches.set(toUuid(fromHex(id.toLowerCase())), { project, receivedAt, events });
      if (why !== null) refused += 1;
    }
    cursor = answer.cursor;
  }
  return refused;
}
