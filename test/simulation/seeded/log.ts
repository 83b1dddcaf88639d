// What collectors publish to: the log in memory, behind a network and a broker that fail.
import { type Log, type LogProducer, PublishError } from "../../../shared/log/log.ts";
import type { Place } from "./place.ts";
import type { Schedule } from "./schedule.ts";

export interface SimulatedBroker {
  producerFor(place: Place): LogProducer;
  /** The broker takes nothing until so many ms from now. */
  outage(ms: number): void;
  /** Chance of a fault, by publish. */
  trouble: number;
}

/** `landed` sees every record when it is in the log. */
export function createBroker(
  schedule: Schedule,
  producer: Awaited<ReturnType<Log["producer"]>>,
  landed: (record: Uint8Array) => void,
  scatters: boolean,
): SimulatedBroker {
  let awayUntil = 0;
  async function append(partition: number, record: Uint8Array): Promise<void> {
    const waitMs = awayUntil - schedule.now();
    if (waitMs > 0) await new Promise<void>((resolve) => schedule.after(waitMs, resolve));
    await producer.publish(partition, record);
    landed(record);
  }

  async function publish(partition: number, record: Uint8Array): Promise<void> {
    if (schedule.now() < awayUntil) {
      throw new PublishError(schedule.chance(0.7) ? "not_stored" : "unknown", "the broker is away");
    }
    if (!schedule.chance(self.trouble)) return await append(partition, record);
    switch (Math.floor(schedule.random() * 5)) {
      case 0:
        throw new PublishError("not_stored", "the broker takes nothing");
      case 1:
        throw new PublishError("unknown", "the request was lost");
      case 2:
        await append(partition, record);
        throw new PublishError("unknown", "the answer was lost");
      case 3:
        // The request lies in a buffer somewhere, and comes through long after it was given up.
        schedule.after(schedule.between(1, 20_000), () => void append(partition, record));
        throw new PublishError("unknown", "too late");
      default:
        await append(partition, record);
        await append(partition, record);
    }
  }

  const self: SimulatedBroker = {
    producerFor: (place) => ({
      identity: producer.identity,
      publish(partition, record) {
        const to = scatters ? Math.floor(schedule.random() * producer.identity.partitions) : partition;
        return place.hop(() => publish(to, new Uint8Array(record)), 0.5, 8);
      },
      async close() {},
    }),
    outage(ms) {
      awayUntil = Math.max(awayUntil, schedule.now() + ms);
    },
    trouble: 0,
  };
  return self;
}
