// A request's body, read and unpacked within its limit: what is over it is cut off, never gathered.
import { bodyBytesMax } from "../shared/limits.ts";
import { WeirError } from "../shared/problem.ts";

/** Reads a whole body. Throws `body_too_large`, `unsupported_encoding`, or `body_malformed` for broken gzip. */
export async function readBody(request: Request): Promise<Uint8Array> {
  const encoding = (request.headers.get("content-encoding") ?? "identity").trim().toLowerCase();
  if (!["", "identity", "gzip", "x-gzip"].includes(encoding)) {
    throw new WeirError("unsupported_encoding", "The body may be sent as it is or as gzip.");
  }
  if (Number(request.headers.get("content-length") ?? 0) > bodyBytesMax) throw tooLarge();
  if (request.body === null) return new Uint8Array();
  const raw = await readRaw(request, request.body);
  // Some clients send gzip and do not say so; no JSON, and no msgpack map or array, begins like it.
  if (encoding.endsWith("gzip") || (raw[0] === 0x1f && raw[1] === 0x8b)) return gunzip(raw);
  return raw;
}

// A stated length is enforced by the server, so such a body may be read at once, which is cheaper.
async function readRaw(request: Request, body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  if (request.headers.get("content-length") === null) return gather(body);
  const whole = new Uint8Array(await request.arrayBuffer());
  if (whole.length > bodyBytesMax) throw tooLarge();
  return whole;
}

async function gunzip(packed: Uint8Array): Promise<Uint8Array> {
  const source = new Blob([packed as Uint8Array<ArrayBuffer>]).stream();
  try {
    return await gather(source.pipeThrough(new DecompressionStream("gzip")));
  } catch (error) {
    if (error instanceof WeirError) throw error;
    throw new WeirError("body_malformed", "The gzip stream is broken or cut off.");
  }
}

async function gather(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.length;
    if (bytes > bodyBytesMax) {
      // Not waited for: a sender that never stops would hold the answer back.
      reader.cancel().catch(() => undefined);
      throw tooLarge();
    }
    chunks.push(value);
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

const tooLarge = (): WeirError =>
  new WeirError("body_too_large", `A body holds at most ${bodyBytesMax} bytes, unpacked too.`);
