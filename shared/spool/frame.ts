// A frame of a spool: one packed record with its place and size, and a checksum (CRC-32) over all of it.

/** A record as it lies in a spool. */
export interface SpoolFrame {
  partition: number;
  events: number;
  /** When it was put there, epoch ms. */
  time: number;
  record: Uint8Array;
}

/** What a segment's bytes hold; `damaged` are the parts that are no frame, [from, to). */
export interface ScannedSegment {
  frames: SpoolFrame[];
  damaged: [number, number][];
  /** Where the last whole frame ends; what follows was never finished, or was damaged. */
  end: number;
}

export const segmentName = /^(\d{12})\.spool$/;
export const frameBytes = 28;
const magic = 0x57535031;

/** magic, length, checksum, partition, events, time (8 bytes), record. */
export function packFrame({ partition, events, time, record }: SpoolFrame): Uint8Array {
  const frame = new Uint8Array(frameBytes + record.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, magic);
  view.setUint32(4, record.length);
  view.setUint32(12, partition);
  view.setUint32(16, events);
  view.setFloat64(20, time);
  frame.set(record, frameBytes);
  view.setUint32(8, Bun.hash.crc32(frame.subarray(12)));
  return frame;
}

/** Reads every whole frame, also those behind a damaged part; the records are views into `bytes`. */
export function scanSegment(bytes: Uint8Array): ScannedSegment {
  const found: ScannedSegment = { frames: [], damaged: [], end: 0 };
  let at = 0;
  while (at + frameBytes <= bytes.length) {
    const frame = frameAt(bytes, at);
    if (frame === undefined) {
      at += 1;
      continue;
    }
    if (at > found.end) found.damaged.push([found.end, at]);
    found.frames.push(frame);
    at += frameBytes + frame.record.length;
    found.end = at;
  }
  return found;
}

function frameAt(bytes: Uint8Array, at: number): SpoolFrame | undefined {
  if (bytes[at] !== magic >>> 24) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, bytes.length - at);
  if (view.getUint32(0) !== magic) return undefined;
  const size = frameBytes + view.getUint32(4);
  if (size > view.byteLength) return undefined;
  if (Bun.hash.crc32(bytes.subarray(at + 12, at + size)) !== view.getUint32(8)) return undefined;
  const record = bytes.subarray(at + frameBytes, at + size);
  return { partition: view.getUint32(12), events: view.getUint32(16), time: view.getFloat64(20), record };
}
