// Consumers of one group on a memory log: they share its partitions and pass them on as a broker would.
import type { Clock } from "../clock.ts";
import { type Delivery, rejoinPauseMs, startDelivery } from "./delivery.ts";
import type { ConsumerHandler, LogConsumer } from "./log.ts";
import { keptRecords, type MemoryTopic } from "./memory.ts";

export interface MemoryGroup {
  join(): LogConsumer;
  /** How far the group says it is, by partition. */
  readonly noted: ReadonlyMap<number, bigint>;
}

interface Member {
  handler: ConsumerHandler;
  owned: readonly number[];
  delivery: Delivery | undefined;
}

/** A group without members. Every joining, leaving or failing member makes all of them share anew. */
export function createMemoryGroup(topic: MemoryTopic, clock: Clock): MemoryGroup {
  const members: Member[] = [];
  const noted = new Map<number, bigint>();
  let turn: Promise<void> = Promise.resolve();

  // One sharing at a time: first everybody stops and gives up, only then is anything given out.
  function share(): Promise<void> {
    turn = turn.then(async () => {
      await Promise.all(members.map(giveUp));
      await Promise.all(
        members.map((member, place) => {
          member.owned = topic.kept.map((_, at) => at).filter((at) => at % members.length === place);
          return take(member);
        }),
      );
    });
    return turn;
  }

  async function giveUp(member: Member): Promise<void> {
    await member.delivery?.stop();
    member.delivery = undefined;
    const { owned } = member;
    member.owned = [];
    if (owned.length > 0) await member.handler.revoked(owned);
  }

  async function take(member: Member): Promise<void> {
    try {
      const starts = await member.handler.assigned(member.owned);
      member.delivery = startDelivery(
        starts,
        (partition, from) => keptRecords(topic, partition, from),
        (signal) => topic.bell.heard(signal),
        member.handler.deliver,
      );
      member.delivery.failed.catch(() => again(member));
    } catch {
      void again(member);
    }
  }

  async function again(member: Member): Promise<void> {
    await clock.sleep(rejoinPauseMs);
    if (members.includes(member)) await share();
  }

  return {
    noted,
    join() {
      let member: Member | undefined;
      return {
        identity: topic.identity,
        run(handler) {
          member = { handler, owned: [], delivery: undefined };
          members.push(member);
          return share();
        },
        noted: (partition, nextOffset) => void noted.set(partition, nextOffset),
        async close() {
          const leaving = member;
          if (leaving === undefined || !members.includes(leaving)) return;
          members.splice(members.indexOf(leaving), 1);
          turn = turn.then(() => giveUp(leaving));
          await share();
        },
      };
    },
  };
}
