// A spool on a simulated disk: what was not synced when its process died may be torn at any byte.

import { type Spool, SpoolError } from "../../../collector/spool/spool.ts";
import { packFrame, type SpoolFrame, scanSegment } from "../../../shared/spool/frame.ts";
import type { Place } from "./place.ts";
import type { Schedule } from "./schedule.ts";

interface Segment {
  number: number;
  bytes: Uint8Array;
  synced: number;
}

/** What lasts. */
export interface Disk {
  segments: Segment[];
}

/** Opens the spool of a process that starts on this disk. */
export function openDiskSpool(
  disk: Disk,
  name: string,
  place: Place,
  schedule: Schedule,
  bytesMax: number,
): Spool {
  for (const segment of disk.segments) {
    const cut = segment.synced + Math.floor(schedule.random() * (segment.bytes.length - segment.synced + 1));
    const { frames } = scanSegment(segment.bytes.subarray(0, cut));
    segment.bytes = Buffer.concat(frames.map(packFrame));
    segment.synced = segment.bytes.length;
  }
  disk.segments = disk.segments.filter(({ bytes }) => bytes.length > 0);
  let next = Math.max(0, ...disk.segments.map(({ number }) => number)) + 1;
  let active: Segment | undefined;

  const used = (): number => disk.segments.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const framesOf = ({ bytes, synced }: Segment): SpoolFrame[] =>
    scanSegment(bytes.subarray(0, synced)).frames;
  const all = (): SpoolFrame[] => disk.segments.flatMap(framesOf);

  return {
    name,
    held: () => ({
      records: all().length,
      events: all().reduce((sum, { events }) => sum + events, 0),
      bytes: used(),
      since: all()[0]?.time,
    }),
    hasRoom: (bytes) => used() + bytes <= bytesMax,
    async append(frame) {
      const packed = packFrame(frame);
      if (used() + packed.length > bytesMax) throw new SpoolError("the spool is full");
      const segment: Segment = active ?? { number: next++, bytes: new Uint8Array(), synced: 0 };
      if (active === undefined) disk.segments.push(segment);
      active = segment;
      segment.bytes = Buffer.concat([segment.bytes, packed]);
      const end = segment.bytes.length;
      await place.hop(() => {
        segment.synced = Math.max(segment.synced, end);
      });
    },
    async oldest() {
      const [segment] = disk.segments;
      if (segment === undefined) return undefined;
      if (segment === active) active = undefined;
      while (segment.synced < segment.bytes.length) await place.clock.sleep(2);
      return { number: segment.number, frames: framesOf(segment) };
    },
    async drop({ number }) {
      await place.hop(() => {
        disk.segments = disk.segments.filter((segment) => segment.number !== number);
      });
    },
    async keepAside() {},
    async close() {},
  };
}
