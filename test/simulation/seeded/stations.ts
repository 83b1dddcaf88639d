// The simulated processes: the product's own steps, each incarnation on a place that may die.
import { startConsume } from "../../../aggregator/consume.ts";
import { withBreaker } from "../../../collector/claims/breaker.ts";
import type { ClaimRequest, ClaimStore } from "../../../collector/claims/claims.ts";
import { createMemoryClaims } from "../../../collector/claims/memory.ts";
import { type Collect, createCollect } from "../../../collector/collect.ts";
import { createPublisher } from "../../../collector/publish.ts";
import { createReceipts } from "../../../collector/receipt.ts";
import { createSettler } from "../../../collector/settle.ts";
import { startDrain } from "../../../collector/spool/drain.ts";
import { type Accept, createAccept } from "../../../edge/accept.ts";
import { hash } from "../../../edge/adapter/bun.ts";
import { httpCollector } from "../../../edge/forward.ts";
import type { LogReader } from "../../../shared/log/log.ts";
import { silentLogger } from "../../../shared/logger.ts";
import { silentMeter } from "../../../shared/meter.ts";
import { type Disk, openDiskSpool } from "./disk.ts";
import type { Group } from "./group.ts";
import type { SimulatedBroker } from "./log.ts";
import { createPlace, type Place } from "./place.ts";
import type { Schedule } from "./schedule.ts";
import type { SimulatedStore } from "./store.ts";
import type { Twist } from "./twists.ts";

export interface EdgeStation {
  place: Place;
  accept: Accept;
}

export interface CollectorStation {
  place: Place;
  collect: Collect;
}

/** The claims' server, which all collectors share. */
export interface ClaimServer {
  viewOf(place: Place): ClaimStore;
  flush(): void;
  outage(ms: number): void;
  /** Chance of a fault, by call. */
  trouble: number;
}

export function createClaimServer(schedule: Schedule, twist: Twist): ClaimServer {
  const { clock } = createPlace(schedule);
  const open = (): ClaimStore => {
    const made = createMemoryClaims({ clock });
    return twist.claims === undefined ? made : twist.claims(made);
  };
  let claims = open();
  let awayUntil = 0;
  const self: ClaimServer = {
    trouble: 0,
    flush() {
      claims = open();
    },
    outage(ms) {
      awayUntil = Math.max(awayUntil, schedule.now() + ms);
    },
    viewOf(place) {
      const ask = <T>(call: () => Promise<T>): Promise<T> =>
        place.hop(async () => {
          const isTroubled = schedule.chance(self.trouble);
          if (schedule.now() < awayUntil || (isTroubled && schedule.chance(0.5)))
            throw new Error("unreachable");
          const answer = await call();
          if (isTroubled) throw new Error("the answer was lost");
          return answer;
        });
      return {
        claim: (request: ClaimRequest) => ask(() => claims.claim(request)),
        settle: (request: ClaimRequest) => ask(() => claims.settle(request)),
        release: (request: ClaimRequest) => ask(() => claims.release(request)),
        count: (name, events, untilMs) => ask(() => claims.count(name, events, untilMs)),
        health: () => claims.health(),
        close: async () => {},
      };
    },
  };
  return self;
}

export interface CollectorParts {
  schedule: Schedule;
  broker: SimulatedBroker;
  server: ClaimServer;
  /** What is left of the start before; undefined for a collector without a spool. */
  disk: Disk | undefined;
  twist: Twist;
}

/** So little that some seeds fill it. */
const spoolBytesMax = 4_000;

export function startCollector(name: string, parts: CollectorParts): CollectorStation {
  const { schedule, broker, server, disk, twist } = parts;
  const place = createPlace(schedule);
  const { clock } = place;
  const claims = withBreaker(server.viewOf(place), { clock });
  const settler = createSettler(claims);
  const spool = disk && openDiskSpool(disk, name, place, schedule, spoolBytesMax);
  const receipts = createReceipts(name, clock.now(), spool !== undefined);
  const producer = broker.producerFor(place);
  const drain = spool && startDrain({ spool, producer, receipts, settler, clock });
  const overflow = spool && drain && { spool, drain, now: clock.now };
  const publisher = createPublisher({ producer, receipts, overflow });
  const twisted = twist.publisher?.(publisher, settler) ?? publisher;
  const collect = createCollect({ claims, publisher: twisted, settler, clock });
  return { place, collect: twist.collect?.(collect) ?? collect };
}

export function startEdge(
  name: string,
  schedule: Schedule,
  fetchFrom: (place: Place) => typeof fetch,
): EdgeStation {
  const place = createPlace(schedule);
  const { clock } = place;
  const signer = { sign: async () => "", verify: async () => {} };
  const logger = silentLogger;
  const collector = httpCollector({
    url: "http://collector",
    signer,
    clock,
    logger,
    fetch: fetchFrom(place),
  });
  return { place, accept: createAccept({ name, collector, clock, hash, meter: silentMeter, logger }) };
}

export function startAggregator(
  schedule: Schedule,
  store: SimulatedStore,
  group: Group,
  reader: LogReader,
): Place {
  const place = createPlace(schedule);
  const { ledger, inserter } = store;
  const logger = silentLogger;
  const options = { store: store.storeFor(place), consumer: group.join(place), ledger, inserter, logger };
  const openReader = async (): Promise<LogReader> => ({
    ...reader,
    ranges: () => place.hop(() => reader.ranges()),
    async *read(partition, from, to) {
      await place.hop(() => {});
      yield* reader.read(partition, from, to);
    },
  });
  void startConsume({ ...options, openReader, clock: place.clock, meter: silentMeter }).catch(() => {});
  return place;
}
