// The buffer port: a durable place at the edge for batches that the collector cannot take now. It is a spool,
// and what lies in it was received.
import type { Batch } from "../../shared/wire/batch.ts";

export interface BatchBuffer {
  /**
   * Resolves once the batch is durable; the buffer brings it to the collector itself, under the same id, until
   * it is taken. May be repeated. Rejects with a retryable WeirError where the buffer is full or out of reach.
   */
  put(batch: Batch): Promise<void>;
  /** What lies in each of its parts. */
  states(): Promise<BufferState[]>;
  /** The batches themselves, so many at a time: from the beginning, or behind the cursor of the page before. */
  list(cursor: string | undefined): Promise<BufferPage>;
}

/** Some of the batches of a buffer; `cursor` is null behind the last one. */
export interface BufferPage {
  data: BufferedBatch[];
  cursor: string | null;
}

/** A batch as far as it is counted. */
export interface BufferedBatch {
  /** 32 hex characters. */
  batch_id: string;
  project: string;
  /** Epoch ms. */
  received_at: number;
  events: number;
  /** Why the collector will never have it, or null. */
  refused: string | null;
}

/** What lies in a buffer. */
export interface BufferState {
  batches: number;
  events: number;
  bytes: number;
  /** When the oldest batch was received, epoch ms; null in an empty buffer. */
  oldest_received_at: number | null;
  /** Batches that the collector refused for good; they are kept, and sent no more. */
  refused: number;
}
