// Request bodies, read and unpacked within their limits: what is over one is cut off, never gathered.
import { bodiesBytesMax, bodyBytesMax } from "../shared/limits.ts";
import { WeirError } from "../shared/problem.ts";

/**
 * Reads a whole body. Throws `body_too_large`, `unsupported_encoding`, `body_malformed` for broken gzip, and
 * `overloaded` where the bodies that are being read hold too many bytes together.
 */
export type ReadBody = (request: Request) => Promise<Uint8Array>;

/** A stated length up to this is held room for at once; a longer body takes its room as it comes. */
const smallBodyBytes = 64 * 1024;

/** Makes a reader whose bodies, packed and unpacked, hold at most `bytesMax` at a time. */
export function createReadBody(bytesMax: number = bodiesBytesMax): ReadBody {
  let held = 0;
  return async (request) => {
    const encoding = (request.headers.get("content-encoding") ?? "identity").trim().toLowerCase();
    if (!["", "identity", "gzip", "x-gzip"].includes(encoding)) {
      throw new WeirError("unsupported_encoding", "The body may be sent as it is or as gzip.");
    }
    const stated = statedLength(request);
    if (stated > bodyBytesMax) throw tooLarge();
    let mine = 0;
    const hold = (bytes: number): void => {
      if (held + bytes > bytesMax) throw new WeirError("overloaded", "Too many bodies are being read here.");
      mine += bytes;
      held += bytes;
    };
    try {
      const raw = await readRaw(request, stated, hold);
      // Some clients send gzip and do not say so; no JSON, and no msgpack map or array, begins like it.
      const isPacked = encoding.endsWith("gzip") || (raw[0] === 0x1f && raw[1] === 0x8b);
      return isPacked ? await gunzip(raw, hold) : raw;
    } finally {
      held -= mine;
    }
  };
}

// A stated length is enforced by the server, so such a body may be read at once, which is cheaper, and most so
// where nobody has asked for its stream.
async function readRaw(request: Request, stated: number, hold: (bytes: number) => void): Promise<Uint8Array> {
  if (stated === 0 || stated > smallBodyBytes) {
    return request.body === null ? new Uint8Array() : gather(request.body, hold);
  }
  hold(stated);
  const whole = new Uint8Array(await request.arrayBuffer());
  if (whole.length > bodyBytesMax) throw tooLarge();
  return whole;
}

async function gunzip(packed: Uint8Array, hold: (bytes: number) => void): Promise<Uint8Array> {
  const source = new Blob([packed as Uint8Array<ArrayBuffer>]).stream();
  try {
    return await gather(source.pipeThrough(new DecompressionStream("gzip")), hold);
  } catch (error) {
    if (error instanceof WeirError) throw error;
    throw new WeirError("body_malformed", "The gzip stream is broken or cut off.");
  }
}

async function gather(
  stream: ReadableStream<Uint8Array>,
  hold: (bytes: number) => void,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      bytes += value.length;
      if (bytes > bodyBytesMax) throw tooLarge();
      hold(value.length);
      chunks.push(value);
    }
  } catch (error) {
    // Not waited for: a sender that never stops would hold the answer back.
    reader.cancel().catch(() => undefined);
    throw error;
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

const statedLength = (request: Request): number => Number(request.headers.get("content-length") ?? 0);
const tooLarge = (): WeirError =>
  new WeirError("body_too_large", `A body holds at most ${bodyBytesMax} bytes, unpacked too.`);
