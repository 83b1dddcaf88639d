// A consumer group as a broker keeps it: it waits for nobody, so a stopped member goes on with partitions
// that are another's by then.
import { rejoinPauseMs, startDelivery } from "../../../shared/log/delivery.ts";
import type { ConsumerHandler, LogConsumer } from "../../../shared/log/log.ts";
import { keptRecords, type MemoryTopic } from "../../../shared/log/memory.ts";
import type { Place } from "./place.ts";
import type { Schedule } from "./schedule.ts";

export interface Group {
  join(place: Place): LogConsumer;
  /** Takes a member out, as when its session has timed out. */
  drop(place: Place): void;
  /** Gives the partitions out anew. */
  share(): void;
}

interface Member {
  place: Place;
  /** Told what it owns now. */
  tell(owned: readonly number[]): void;
}

export function createGroup(topic: MemoryTopic, schedule: Schedule): Group {
  let members: Member[] = [];

  function share(): void {
    const first = Math.floor(schedule.random() * members.length);
    members.forEach((member, place) => {
      member.tell(topic.kept.map((_, at) => at).filter((at) => (at + first) % members.length === place));
    });
  }

  function join(place: Place, handler: ConsumerHandler, started: () => void): Member {
    let turn: Promise<void> = Promise.resolve();
    let [told, heard] = [0, 0];
    let owned: readonly number[] = [];
    let delivery: ReturnType<typeof startDelivery> | undefined;

    async function change(next: readonly number[]): Promise<void> {
      await delivery?.stop();
      delivery = undefined;
      if (owned.length > 0) await handler.revoked(owned);
      owned = next;
      try {
        const starts = await handler.assigned(owned);
        delivery = startDelivery(
          starts,
          (partition, from) => keptRecords(topic, partition, from),
          async (signal) => {
            await topic.bell.heard(signal);
            await place.clock.sleep(schedule.between(0, 2));
          },
          handler.deliver,
        );
        delivery.failed.catch(again);
      } catch {
        again();
      }
      started();
    }

    function again(): void {
      place.after(rejoinPauseMs, share);
    }

    return {
      place,
      // An older word that comes after a newer one is not listened to.
      tell(next) {
        told += 1;
        const number = told;
        place.after(schedule.between(0, 20), () => {
          if (number < heard) return;
          heard = number;
          turn = turn.then(() => change(next));
        });
      },
    };
  }

  return {
    share,
    drop(place) {
      members = members.filter((member) => member.place !== place);
      share();
    },
    join: (place) => ({
      identity: topic.identity,
      run: (handler) =>
        new Promise((resolve) => {
          members.push(join(place, handler, resolve));
          share();
        }),
      noted: () => {},
      async close() {},
    }),
  };
}
