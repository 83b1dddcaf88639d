// A quarantined event's bytes as text: as they came, or of a packed one what it holds.
import { unpackEvent } from "../../shared/wire/packed-event.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Null where the bytes are neither text nor a packed event. */
export function textOf(bytes: Uint8Array, isPacked: boolean): string | null {
  try {
    return isPacked ? packedText(bytes) : decoder.decode(bytes);
  } catch {
    return null;
  }
}

function packedText(bytes: Uint8Array): string {
  const { payload, context, metadata, ...fields } = unpackEvent(bytes);
  const said = Object.entries(fields).filter(([, value]) => value !== null);
  const head = JSON.stringify(Object.fromEntries(said)).slice(0, -1);
  return `${head},"payload":${payload},"context":${context},"metadata":${metadata}}`;
}
