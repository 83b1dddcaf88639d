// A batch's bytes off the wire, within the limit: what is over it is cut off, never gathered.
import { recordBytesMax } from "../shared/limits.ts";
import { WeirError } from "../shared/problem.ts";

/** Reads a whole body. Throws `body_too_large`. */
export async function readBody(request: Request): Promise<Uint8Array> {
  const stated = request.headers.get("content-length");
  if (Number(stated ?? 0) > recordBytesMax) throw tooLarge();
  if (request.body === null) return new Uint8Array();
  // The server holds a sender to the length it states, so such a body may be read at once.
  if (stated !== null) return new Uint8Array(await request.arrayBuffer());
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body) {
    bytes += chunk.length;
    if (bytes > recordBytesMax) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const tooLarge = (): WeirError =>
  new WeirError("body_too_large", `A batch holds at most ${recordBytesMax} bytes.`);
