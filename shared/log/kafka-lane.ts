// One lane of the Kafka producer: a single send in flight, and a client that is replaced when it hangs.
import { Producer } from "@platformatic/kafka";
import { publishDeadlineMs } from "../limits.ts";
import type { Logger } from "../logger.ts";
import { baseOptions, cleanText } from "./kafka-client.ts";
import { readOutcomes } from "./kafka-outcome.ts";
import type { KafkaTopic } from "./kafka-topic.ts";
import type { KafkaTarget } from "./kafka-url.ts";
import { PublishError } from "./log.ts";
import { within } from "./within.ts";

/** A publish that waits or is being sent; `since` is when it was asked for. */
export interface Waiting {
  partition: number;
  record: Uint8Array;
  since: number;
  resolve(): void;
  reject(error: PublishError): void;
}

export interface Lane {
  add(waiting: Waiting): void;
  /** Resolves once nothing waits or is in flight; then the client is closed. */
  close(): Promise<void>;
}

/** Bytes of one send. Two of the largest records of two partitions; more only makes a retry dearer. */
const sendBytesMax = 8 * 1024 * 1024;
/** What the batch format adds to a record, at most: lengths, deltas and no key. */
const recordFrameBytes = 40;
/** What waited longer than this is not sent any more, so that a send always has time to succeed. */
const waitMsMax = publishDeadlineMs * 0.75;

/** Opens a lane. Sends are made with acks from every in-sync replica. */
export function openLane(
  target: KafkaTarget,
  topic: KafkaTopic,
  clientId: string,
  logger: Logger,
  deadlineMs: number = publishDeadlineMs,
): Lane {
  const { identity } = topic;
  let queue: Waiting[] = [];
  let client = connect();
  let running: Promise<void> | undefined;
  let isReplaced = false;

  // Idempotence spares most duplicates of the client's own retries; nothing here is built on it.
  function connect(): Producer {
    return new Producer({
      ...baseOptions(target, clientId),
      idempotent: true,
      // Until our own deadline: a broker that restarts meanwhile costs nobody an error.
      retries: Number.MAX_SAFE_INTEGER,
      requestTimeout: deadlineMs,
      timeout: deadlineMs,
      // How long a topic made anew under the same name can go unseen.
      metadataMaxAge: 5_000,
    });
  }

  async function run(): Promise<void> {
    while (queue.length > 0) {
      const batch = take();
      if (batch.length > 0) await send(batch);
    }
    running = undefined;
  }

  // The oldest first, as long as the send and each partition's share of it stay within their limits.
  function take(): Waiting[] {
    const shares = new Map<number, number>();
    const batch: Waiting[] = [];
    const oldest = Date.now() - (waitMsMax * deadlineMs) / publishDeadlineMs;
    let bytes = 0;
    let count = 0;
    for (const waiting of queue) {
      if (waiting.since < oldest || isReplaced) {
        waiting.reject(
          new PublishError("not_stored", isReplaced ? replacedText : "the log is not keeping up"),
        );
      } else {
        const share = (shares.get(waiting.partition) ?? 0) + waiting.record.length + recordFrameBytes;
        bytes += waiting.record.length;
        const isOver = share > topic.valueBytesMax || bytes > sendBytesMax;
        if (batch.length > 0 && isOver) break;
        shares.set(waiting.partition, share);
        batch.push(waiting);
      }
      count += 1;
    }
    queue = queue.slice(count);
    return batch;
  }

  async function send(batch: readonly Waiting[]): Promise<void> {
    const sender = client;
    const messages = batch.map(({ partition, record }) => ({
      topic: identity.topic,
      partition,
      value: Buffer.from(record.buffer, record.byteOffset, record.length),
    }));
    const leftMs = batch[0]!.since + deadlineMs - Date.now();
    try {
      const answer = await within(sender.send({ messages }), leftMs);
      if (answer === "late") return giveUp(sender, batch);
      checkIdentity(sender);
      for (const { resolve, reject } of batch) {
        if (isReplaced) reject(new PublishError("unknown", replacedText));
        else resolve();
      }
    } catch (error) {
      settleByPartition(batch, error);
    }
  }

  function giveUp(sender: Producer, batch: readonly Waiting[]): void {
    logger.error("log_publish_late", { log: target.label, records: batch.length, deadlineMs });
    client = connect();
    sender.close(true).catch(() => {});
    for (const { reject } of batch) {
      reject(new PublishError("unknown", `the log did not answer within ${deadlineMs} ms`));
    }
  }

  function settleByPartition(batch: readonly Waiting[], error: unknown): void {
    const text = cleanText(target, error);
    const outcomeOf = readOutcomes(error);
    logger.error("log_publish_failed", { log: target.label, records: batch.length, error: text });
    for (const { partition, resolve, reject } of batch) {
      const outcome = outcomeOf(partition);
      if (outcome === "stored") resolve();
      else reject(new PublishError(outcome, text));
    }
  }

  // A topic made anew under the same name is another log: its records must not be taken for this one's.
  function checkIdentity(sender: Producer): void {
    const metadata = sender.currentMetadata;
    const id = `${metadata?.id}/${metadata?.topics.get(identity.topic)?.id}`;
    if (metadata === undefined || id === identity.id) return;
    isReplaced = true;
    logger.error("log_replaced", { log: target.label, topic: identity.topic });
  }

  return {
    add(waiting) {
      queue.push(waiting);
      running ??= Promise.resolve().then(run);
    },
    async close() {
      await running;
      await client.close(true).catch(() => {});
    },
  };
}

const replacedText = "the topic was made anew since this process started";
