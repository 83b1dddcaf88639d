// The spool port: a bounded, lasting queue of records that the log could not take.
import type { SpoolFrame } from "../../shared/spool/frame.ts";

/** The spool is full, or its disk took nothing; the record is in it or not, and was not acknowledged. */
export class SpoolError extends Error {
  override name = "SpoolError";
}

/** Some of the oldest records, whole; `frames` are in the order they were put in. */
export interface SpoolSegment {
  number: number;
  frames: readonly SpoolFrame[];
}

/** What lies in the spool; `since` is when its oldest record was put there, epoch ms. */
export interface SpoolHeld {
  records: number;
  events: number;
  bytes: number;
  since: number | undefined;
}

export interface Spool {
  /** The name of whoever spools here, the same at every start. */
  readonly name: string;
  held(): SpoolHeld;
  /** Whether a record of so many bytes would be taken now. */
  hasRoom(bytes: number): boolean;
  /** Resolves when the record is on the disk; calls that wait share one fsync. Rejects with a SpoolError. */
  append(frame: SpoolFrame): Promise<void>;
  /** The oldest records, which no append adds to any more; undefined where there are none. May repeat. */
  oldest(): Promise<SpoolSegment | undefined>;
  /** Forgets a segment: everything in it is in the log. */
  drop(segment: SpoolSegment): Promise<void>;
  /** Keeps one record of a segment in a file of its own, for a person to look at. */
  keepAside(segment: SpoolSegment, frame: SpoolFrame): Promise<void>;
  /** Ends after what is being written; the folder is then free for another process. */
  close(): Promise<void>;
}
