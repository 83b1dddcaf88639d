// The log port: a durable, partitioned, append-only sequence of records, and who reads it.
import type { NoticePublisher } from "./notices.ts";

/** Who the log is. Another identity is another log, whatever its name and offsets say. */
export interface LogIdentity {
  /** Unique to this log for ever: for Kafka cluster and topic id, for a file its own random id. */
  id: string;
  topic: string;
  partitions: number;
}

/** Why a publish did not succeed. */
export type PublishFailure =
  /** It is certain that nothing was stored; the caller may free what it holds for the record. */
  | "not_stored"
  /** It may or may not be stored: an answer was lost, or came too late. */
  | "unknown"
  /** The log will never take this record: too large, or no right to write. */
  | "refused";

/** What a producer rejects with. */
export class PublishError extends Error {
  readonly failure: PublishFailure;
  constructor(failure: PublishFailure, detail: string, options?: { cause?: unknown }) {
    super(detail, options);
    this.name = "PublishError";
    this.failure = failure;
  }
}

/**
 * Writes records. Calls may run in parallel; the producer gathers them as its log does best.
 *
 * `publish` resolves only when the record is as durable as the log can make it (fsynced, or acked by
 * every in-sync replica), and rejects with a PublishError, at the latest at its own deadline. It never
 * repeats a record by itself after an unclear answer in a way the caller cannot see: a record may still
 * be stored twice, and the aggregator knows it by its batch id.
 */
export interface LogProducer {
  readonly identity: LogIdentity;
  publish(partition: number, record: Uint8Array): Promise<void>;
  /** Ends after what is in flight; publishes made later are rejected `not_stored`. */
  close(): Promise<void>;
}

/** One record as it is read; `time` is when the log took it, epoch ms. */
export interface ReadRecord {
  offset: bigint;
  time: number;
  value: Uint8Array;
}

/** What a consumer tells its owner, and asks of it. */
export interface ConsumerHandler {
  /**
   * This process now owns exactly these partitions. Answers the offset each is to be read from; nothing
   * of a partition is delivered before. May repeat, with other partitions, after every rebalance. A start
   * before the first kept record becomes that record, whose offset shows the hole; one beyond the end
   * waits until the log gets there. Who keeps offsets compares them with LogReader.ranges here.
   */
  assigned(partitions: readonly number[]): Promise<ReadonlyMap<number, bigint>>;
  /**
   * These partitions may now belong to another process; what is being written for them may be fenced.
   * Follows every assignment of any partition once, at the latest when the consumer is closed.
   */
  revoked(partitions: readonly number[]): Promise<void>;
  /**
   * Records of one partition, in order, without holes in their offsets as far as the log has none. The
   * next ones of that partition come once this has resolved; other partitions may run in parallel. A
   * rejection makes the consumer give the partition up and join anew after a pause. Where the log may have
   * been cut off and have grown again meanwhile, the record before comes once more, or `assigned` is asked
   * anew: who keeps offsets knows that record, or another.
   */
  deliver(partition: number, records: readonly ReadRecord[]): Promise<void>;
}

/**
 * Reads records as one of a group. Where to start is the handler's word alone: a position kept in the
 * log is written for tools to look at (`noted`) and never read back.
 */
export interface LogConsumer {
  readonly identity: LogIdentity;
  /** Starts reading; resolves once the first assignment was answered. */
  run(handler: ConsumerHandler): Promise<void>;
  /** Tells the log how far a partition was written, for tools. Never fails, never waits for the log. */
  noted(partition: number, nextOffset: bigint): void;
  /** Stops delivering, waits for what is being delivered, leaves the group. */
  close(): Promise<void>;
}

/** First kept offset and the offset after the last. */
export interface LogRange {
  start: bigint;
  end: bigint;
  /** Another one says that somebody else keeps the log now, who may never have had its last records. */
  term?: number | undefined;
}

/** Reads beside the owners, joins no group, moves nothing: for reconcile, doctor and lag. */
export interface LogReader {
  readonly identity: LogIdentity;
  /** How far every partition goes. */
  ranges(): Promise<ReadonlyMap<number, LogRange>>;
  /** Records of one partition from `from` up to, not including, `to`. */
  read(partition: number, from: bigint, to: bigint): AsyncIterable<ReadRecord>;
  close(): Promise<void>;
}

/** What a driver finds when it looks at its log's settings: one line a weakness, with what to do. */
export interface LogWeakness {
  setting: string;
  found: string;
  wanted: string;
}

/** A log by its URL: every role on demand, so that a process opens only what it needs. */
export interface Log {
  /** Scheme and host as they may be shown; never a credential. */
  readonly label: string;
  /** Makes the topic where it is missing. Throws where one exists that cannot serve (other partitions). */
  create(): Promise<void>;
  /** What is weaker than it should be. Empty is good. */
  weaknesses(): Promise<LogWeakness[]>;
  /** How long it keeps a record, ms: Infinity where for ever, undefined where it does not tell. */
  retentionMs(): Promise<number | undefined>;
  producer(): Promise<LogProducer>;
  consumer(group: string): Promise<LogConsumer>;
  reader(): Promise<LogReader>;
  /** Publishes notices to these topics beside the events; absent where the log has no place for them. */
  notices?(topics: readonly string[]): NoticePublisher;
}
