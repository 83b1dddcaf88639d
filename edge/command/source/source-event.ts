// One event as a file holds it, before the front door: its bytes, or the bytes and why they are none.
import { bodyBytesMax } from "../../../shared/limits.ts";
import type { RefusalCode } from "../../../shared/problem.ts";

/** Found while reading the file; travels to quarantine beside the original bytes. */
export interface SourceRefusal {
  code: RefusalCode;
  pointer: string;
  detail: string;
}

/** `bytes` is one JSON object in UTF-8, or, with `refusal`, what the file held instead. */
export interface SourceEvent {
  bytes: Uint8Array;
  refusal?: SourceRefusal;
}

/** Turns the chunks of a file into events. Both may give none, and `end` is called once. */
export interface Splitter {
  push(chunk: Uint8Array): SourceEvent[];
  /** What was still open. Throws a DamagedFileError where the file cannot end here. */
  end(): SourceEvent[];
}

/** The file is broken as a whole; `rest` holds what can still be kept of it. */
export class DamagedFileError extends Error {
  override name = "DamagedFileError";
  readonly rest: readonly SourceEvent[];
  constructor(detail: string, rest: readonly SourceEvent[] = [], options?: { cause?: unknown }) {
    super(detail, options);
    this.rest = rest;
  }
}

/** Bytes kept of one event: what a request could have held. What is longer is cut, and said so. */
export const sourceEventBytesMax: number = bodyBytesMax;

/** Gathers the pieces of one event across chunks, and keeps no more of it than the limit. */
export interface Gatherer {
  /** Bytes added since the last `take`, kept or not. */
  total(): number;
  add(piece: Uint8Array): void;
  /** The kept bytes as one piece; begins anew. */
  take(): Uint8Array;
}

export function createGatherer(keptMax: number = sourceEventBytesMax): Gatherer {
  let pieces: Uint8Array[] = [];
  let kept = 0;
  let total = 0;
  return {
    total: () => total,
    add(piece) {
      total += piece.length;
      const room = keptMax - kept;
      if (piece.length === 0 || room <= 0) return;
      const part = piece.length > room ? piece.subarray(0, room) : piece;
      pieces.push(part);
      kept += part.length;
    },
    take() {
      const only = pieces.length === 1 ? pieces[0]! : join(pieces, kept);
      pieces = [];
      kept = 0;
      total = 0;
      return only;
    },
  };
}

/** What was gathered as an event; one that was cut is refused with its true length. */
export function gatheredEvent(gatherer: Gatherer): SourceEvent {
  const total = gatherer.total();
  const whole = gatherer.take();
  if (total <= sourceEventBytesMax && whole.length === total) return { bytes: whole };
  const bytes = whole.subarray(0, sourceEventBytesMax);
  const detail = `${total} bytes are no event; the first ${bytes.length} are kept`;
  return { bytes, refusal: { code: "event_too_large", pointer: "", detail } };
}

function join(pieces: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
