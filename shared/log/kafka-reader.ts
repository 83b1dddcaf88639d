// Reads a Kafka topic beside its owners, by plain fetches: no group is joined and no offset moved.
import { randomUUID } from "node:crypto";
import { Admin, Consumer } from "@platformatic/kafka";
import { baseOptions, toError } from "./kafka-client.ts";
import type { KafkaTopic } from "./kafka-topic.ts";
import type { KafkaTarget } from "./kafka-url.ts";
import type { LogRange, LogReader, ReadRecord } from "./log.ts";

/** Bytes of one fetch. */
const fetchBytesMax = 8 * 1024 * 1024;
// What ListOffsets takes in place of a time (KIP-79).
const earliest = -2n;
const latest = -1n;
// Bits of a record batch's attributes (KIP-98, KIP-32).
const logAppendTimeBit = 0x08;
const controlBit = 0x20;

/** A reader of a topic that was looked at. Each `read` has its own connection until it ends. */
export function kafkaReader(target: KafkaTarget, topic: KafkaTopic, clientId: string): LogReader {
  const admin = new Admin(baseOptions(target, clientId));
  return {
    identity: topic.identity,
    async ranges() {
      try {
        return await readRanges(admin, topic);
      } catch (error) {
        throw toError(target, "reading offsets", error);
      }
    },
    async *read(partition, from, to) {
      // The name is only a name: a group exists once somebody joins it.
      const consumer = new Consumer({
        ...baseOptions(target, clientId),
        groupId: `${clientId}-${randomUUID()}`,
      });
      try {
        const kept = (await readRanges(admin, topic)).get(partition);
        if (kept === undefined) throw new Error(`there is no partition ${partition}`);
        let next = from;
        if (next < kept.start) next = kept.start;
        let stop = to;
        if (stop > kept.end) stop = kept.end;
        while (next < stop) {
          const asked = next;
          for (const record of readRecords(await fetchFrom(consumer, topic, partition, next))) {
            if (record.offset < next) continue;
            if (record.offset >= stop) return;
            yield record;
            next = record.offset + 1n;
          }
          if (next === asked) throw new Error(`offset ${next} of ${stop} is not given out`);
        }
      } catch (error) {
        throw toError(target, `reading partition ${partition}`, error);
      } finally {
        await consumer.close(true).catch(() => {});
      }
    },
    async close() {
      await admin.close().catch(() => {});
    },
  };
}

/** First kept offset and the one after the last, of every partition. */
export async function readRanges(admin: Admin, topic: KafkaTopic): Promise<Map<number, LogRange>> {
  const { topic: name, partitions } = topic.identity;
  const at = async (timestamp: bigint) => {
    const indexes = Array.from({ length: partitions }, (_, partitionIndex) => ({
      partitionIndex,
      timestamp,
    }));
    const [found] = await admin.listOffsets({ topics: [{ name, partitions: indexes }] });
    return new Map(found?.partitions.map((one) => [one.partitionIndex, one]));
  };
  // Starts first: a record dropped in between must not make an end look below its start.
  const starts = await at(earliest);
  const ends = await at(latest);
  return new Map(
    [...starts].map(([partition, { offset: start }]) => {
      const last = ends.get(partition);
      return [partition, { start, end: last?.offset ?? start, term: last?.leaderEpoch }];
    }),
  );
}

type FetchAnswer = Awaited<ReturnType<Consumer["fetch"]>>;
type Batches = NonNullable<FetchAnswer["responses"][number]["partitions"][number]["records"]>;

async function fetchFrom(
  consumer: Consumer,
  topic: KafkaTopic,
  partition: number,
  fetchOffset: bigint,
): Promise<Batches> {
  const { topic: name } = topic.identity;
  const metadata = await consumer.metadata({ topics: [name] });
  const found = metadata.topics.get(name);
  const leader = found?.partitions[partition]?.leader;
  if (found === undefined || leader === undefined) throw new Error(`there is no partition ${partition}`);
  consumer.topics.track(name);
  const response = await consumer.fetch({
    node: leader,
    maxWaitTime: 100,
    minBytes: 1,
    maxBytes: fetchBytesMax,
    topics: [
      {
        topicId: found.id,
        partitions: [
          {
            partition,
            fetchOffset,
            partitionMaxBytes: fetchBytesMax,
            currentLeaderEpoch: -1,
            lastFetchedEpoch: -1,
          },
        ],
      },
    ],
  });
  return response.responses[0]?.partitions[0]?.records ?? [];
}

function* readRecords(batches: Batches): Iterable<ReadRecord> {
  for (const batch of batches) {
    if ((batch.attributes & controlBit) !== 0) continue;
    const isAppendTime = (batch.attributes & logAppendTimeBit) !== 0;
    for (const { offsetDelta, timestampDelta, value } of batch.records) {
      const time = isAppendTime ? batch.maxTimestamp : batch.firstTimestamp + timestampDelta;
      yield {
        offset: batch.firstOffset + BigInt(offsetDelta),
        time: Number(time),
        value: value ?? new Uint8Array(),
      };
    }
  }
}
