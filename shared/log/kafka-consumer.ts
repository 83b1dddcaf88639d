// Reads Kafka as one of a group by kafkajs, whose own ideas of where to start and restart are never used.
import { type Consumer, type EachBatchPayload, Kafka } from "kafkajs";
import { systemClock } from "../clock.ts";
import { recordBytesMax } from "../limits.ts";
import type { Logger } from "../logger.ts";
import { backoffMs } from "../retry.ts";
import { cleanText, consumerOptions } from "./kafka-client.ts";
import { createTenure, type Tenure } from "./kafka-tenure.ts";
import type { KafkaTarget } from "./kafka-url.ts";
import type { ConsumerHandler, LogConsumer, LogIdentity, LogReader, ReadRecord } from "./log.ts";
import { within } from "./within.ts";

/** A silent member loses its partitions after this, the least that brokers take. */
const sessionMs = 6_000;
const heartbeatMs = 1_000;
/** How long the others wait for a member that still writes when the group is shared anew. */
const rebalanceMs = 60_000;
/** How long a fetch waits for records. It bounds how late a heartbeat, an assignment or a stop is seen. */
const fetchWaitMs = 250;
/** Bytes of one fetch over all partitions. */
const fetchBytesMax = 16 * 1024 * 1024;
/** The group's own offsets are for tools: once a second is enough. */
const noteEveryMs = 1_000;
/** Below the session, since a member that pauses sends no heartbeat. */
const pause = { attemptsMax: Number.POSITIVE_INFINITY, baseMs: 500, waitMsMax: 3_000 };
/** What leaving may take from a broker that does not answer. */
const leaveMsMax = 5_000;

export interface KafkaConsumerOptions {
  target: KafkaTarget;
  identity: LogIdentity;
  group: string;
  clientId: string;
  logger: Logger;
  /** For the ranges an answered start is checked against; closed with the consumer. */
  reader: LogReader;
}

/** A consumer that has not joined yet. */
export function kafkaConsumer(options: KafkaConsumerOptions): LogConsumer {
  const { target, identity, group, logger, reader } = options;
  const { topic } = identity;
  const kafka = new Kafka(consumerOptions(target, options.clientId));
  const positions = new Map<number, bigint>();
  const jumps = new Map<number, string>();
  let consumer: Consumer | undefined;
  let tenure: Tenure | undefined;
  let failures = 0;
  const closing = new AbortController();

  async function start(handler: ConsumerHandler, answered: () => void): Promise<void> {
    const member = kafka.consumer({
      groupId: group,
      sessionTimeout: sessionMs,
      heartbeatInterval: heartbeatMs,
      rebalanceTimeout: rebalanceMs,
      maxWaitTimeInMs: fetchWaitMs,
      maxBytes: fetchBytesMax,
      maxBytesPerPartition: recordBytesMax,
      allowAutoTopicCreation: false,
      retry: {
        initialRetryTime: 200,
        maxRetryTime: 3_000,
        restartOnFailure: async () => !closing.signal.aborted,
      },
    });
    consumer = member;
    member.on(member.events.GROUP_JOIN, ({ payload }) => {
      const partitions = [...(payload.memberAssignment[topic] ?? [])].sort((left, right) => left - right);
      if (closing.signal.aborted) return;
      // Until the owner has said where to start, nothing is fetched from where the library would.
      member.pause([{ topic, partitions }]);
      tenure = createTenure({ partitions, handler, reader, logger, previous: tenure, jumps });
      const placed = tenure.begin((partition, offset) => {
        member.seek({ topic, partition, offset: String(offset) });
        member.resume([{ topic, partitions: [partition] }]);
      });
      void placed.then(answered);
    });
    member.on(member.events.REBALANCING, () => void tenure?.end());
    member.on(member.events.CRASH, ({ payload }) => {
      void tenure?.end();
      logger.error("log_consumer_failed", {
        log: target.label,
        group,
        error: cleanText(target, payload.error),
      });
      if (!payload.restart && !closing.signal.aborted) void startAgain(handler, answered);
    });
    await member.connect();
    await member.subscribe({ topic, fromBeginning: true });
    await member.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      partitionsConsumedConcurrently: identity.partitions,
      eachBatch: (payload) => deliver(payload),
    });
  }

  function pauseNow(): Promise<void> {
    failures += 1;
    return systemClock.sleep(backoffMs(pause, failures + 1, systemClock), closing.signal);
  }

  async function startAgain(handler: ConsumerHandler, answered: () => void): Promise<void> {
    await pauseNow();
    if (closing.signal.aborted) return;
    await start(handler, answered).catch((error: unknown) => {
      logger.error("log_consumer_failed", { log: target.label, group, error: cleanText(target, error) });
      return startAgain(handler, answered);
    });
  }

  async function deliver({ batch, heartbeat, resolveOffset, isStale }: EachBatchPayload): Promise<void> {
    const owner = tenure;
    if (owner === undefined || closing.signal.aborted || isStale()) return;
    const { fetchedOffset } = batch as unknown as { fetchedOffset: string };
    const records = batch.messages.map(toRecord);
    const beating = setInterval(() => {
      heartbeat().catch((error: unknown) => isRebalance(error) && void owner.end());
    }, heartbeatMs);
    const last = batch.lastOffset();
    const leaders = [leaderOf(batch.messages[0]), leaderOf(batch.messages.at(-1))] as const;
    const fetched = { from: BigInt(fetchedOffset), last: BigInt(last), records, leaders };
    const verdict = await owner.deliver(batch.partition, fetched);
    clearInterval(beating);
    if (verdict === "delivered") {
      failures = 0;
      if (tenure === owner) resolveOffset(last);
    }
    if (verdict === "failed") await pauseNow();
    if (verdict === "failed" || verdict === "moved" || owner.isOver()) await joinAnew(owner);
  }

  // This is what the library itself throws to join anew; after any other error it goes on as it was.
  async function joinAnew(owner: Tenure): Promise<void> {
    await owner.end();
    if (tenure !== owner || closing.signal.aborted) return;
    throw Object.assign(new Error("joining anew"), { type: "REBALANCE_IN_PROGRESS" });
  }

  async function writePositions(): Promise<void> {
    const owned = [...positions].filter(([partition]) => tenure?.partitions.includes(partition));
    positions.clear();
    if (consumer === undefined || owned.length === 0) return;
    await consumer.commitOffsets(
      owned.map(([partition, offset]) => ({ topic, partition, offset: String(offset) })),
    );
  }

  const noting = setInterval(() => void writePositions().catch(() => {}), noteEveryMs);
  noting.unref();

  return {
    identity,
    run: (handler) => new Promise((resolve, reject) => void start(handler, resolve).catch(reject)),
    noted: (partition, nextOffset) => void positions.set(partition, nextOffset),
    async close() {
      if (closing.signal.aborted) return;
      closing.abort();
      clearInterval(noting);
      await tenure?.end();
      await within(
        writePositions()
          .catch(() => {})
          .then(() => consumer?.disconnect())
          .catch(() => {}),
        leaveMsMax,
      );
      await reader.close();
    },
  };
}

function toRecord(message: { offset: string; timestamp: string; value: Buffer | null }): ReadRecord {
  return {
    offset: BigInt(message.offset),
    time: Number(message.timestamp),
    value: message.value ?? new Uint8Array(),
  };
}

// kafkajs reads it with every batch of records, and does not tell of it in its types.
function leaderOf(message: object | undefined): number | undefined {
  return (message as { batchContext?: { partitionLeaderEpoch?: number } } | undefined)?.batchContext
    ?.partitionLeaderEpoch;
}

function isRebalance(error: unknown): boolean {
  const { type } = error as { type?: string };
  return type === "REBALANCE_IN_PROGRESS" || type === "ILLEGAL_GENERATION" || type === "UNKNOWN_MEMBER_ID";
}
