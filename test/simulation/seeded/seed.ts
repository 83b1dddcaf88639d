// One seed: a world is built, things go wrong in it, then everything heals, and what is left is judged.
import { bodyOf, decodeRecord, isDecoded } from "../../../aggregator/decode.ts";
import { forgetBefore, type MemoryPlace, type MemoryTopic, memoryLog } from "../../../shared/log/memory.ts";
import { isPublished, outcome } from "../../../shared/wire/batch.ts";
import { unpackEvent } from "../../../shared/wire/packed-event.ts";
import { startClients } from "./clients.ts";
import { digestAtOnce } from "./digest.ts";
import { type Disaster, disasters } from "./disasters.ts";
import type { Disk } from "./disk.ts";
import { createGroup } from "./group.ts";
import { createBroker } from "./log.ts";
import { createNetwork } from "./network.ts";
import type { Place } from "./place.ts";
import { createSchedule, type Schedule } from "./schedule.ts";
import {
  type CollectorStation,
  createClaimServer,
  type EdgeStation,
  startAggregator,
  startCollector,
  startEdge,
} from "./stations.ts";
import { createSimulatedStore } from "./store.ts";
import type { Twist } from "./twists.ts";
import { createLanded, judgeRun } from "./verdict.ts";

/** What a seed came to; `disasters` by name in their order. */
export interface SeedRun {
  faults: string[];
  disasters: string[];
  sent: number;
  acked: number;
  stored: number;
}

/** What disasters can reach. */
export interface World {
  schedule: Schedule;
  collectors: (CollectorStation & { disk: Disk | undefined })[];
  edges: EdgeStation[];
  aggregators: Place[];
  claims: ReturnType<typeof createClaimServer>;
  broker: ReturnType<typeof createBroker>;
  store: ReturnType<typeof createSimulatedStore>;
  group: ReturnType<typeof createGroup>;
  topic: MemoryTopic;
  restartCollector(at: number): void;
  restartEdge(at: number): void;
  restartAggregator(at: number): void;
  /** Takes records away as retention does, read or not. */
  forget(partition: number, start: bigint): void;
  /** Cuts the newest records off, so that later ones stand at their offsets. */
  cut(partition: number, records: number): void;
}

/** When the last disaster has struck, and how long everything may take to be quiet after it; virtual ms. */
const stormMs = 8_000;
const quietMs = 400_000;
const calmMs = 30_000;

export async function runSeed(seed: number, twist: Twist = {}): Promise<SeedRun> {
  const restore = digestAtOnce();
  try {
    return await run(seed, twist);
  } finally {
    restore();
  }
}

async function run(seed: number, twist: Twist): Promise<SeedRun> {
  const schedule = createSchedule(seed);
  const logPlace: MemoryPlace = new Map();
  const clock = {
    now: () => schedule.now(),
    random: (bytes: number) => new Uint8Array(bytes),
    sleep: async () => {},
  };
  const log = memoryLog(logPlace, {
    topic: "weir.events",
    partitions: 1 + Math.floor(schedule.random() * 3),
    clock,
  });
  await log.create();
  const topic = logPlace.get("weir.events")!;
  const reader = await log.reader();
  const landed = createLanded();
  const broker = createBroker(schedule, await log.producer(), landed.add, twist.scattersBatches === true);
  const store = createSimulatedStore(schedule, twist);
  const group = createGroup(topic, schedule);
  const claims = createClaimServer(schedule, twist);
  const hasSpool = schedule.chance(0.5);
  const excused = new Set<string>();

  const collectors: World["collectors"] = [];
  const network = createNetwork(schedule, collectors, landed);
  const world: World = {
    ...{ schedule, collectors, claims, broker, store, group, topic },
    edges: [],
    aggregators: [],
    restartCollector(at) {
      const disk = collectors[at]?.disk ?? (hasSpool ? { segments: [] } : undefined);
      collectors[at] = {
        ...startCollector(`c${at}`, { schedule, broker, server: claims, disk, twist }),
        disk,
      };
    },
    restartEdge(at) {
      world.edges[at] = startEdge(`edge${at}`, schedule, network.fetchFrom);
    },
    restartAggregator(at) {
      world.aggregators[at] = startAggregator(schedule, store, group, reader);
    },
    forget(partition, start) {
      const { records } = topic.kept[partition]!;
      for (const record of records.filter(({ offset }) => offset < start)) excuse(partition, record, excused);
      forgetBefore(topic, partition, start);
    },
    cut(partition, count) {
      const { records } = topic.kept[partition]!;
      const gone = records.splice(Math.max(0, records.length - count));
      for (const record of gone) excuse(partition, record, excused);
    },
  };
  for (const at of [0, 1]) {
    world.restartCollector(at);
    world.restartEdge(at);
    world.restartAggregator(at);
  }
  // Two edges seldom agree on the time, nor on whose time is to be moved.
  if (schedule.chance(0.5)) world.edges[1]!.place.jump(schedule.pick([-4_000, 4_000]));
  const account = startClients(schedule, world.edges);

  const troubles = [broker, claims, store, network];
  const shares = [0, 0.02, 0.1, 0.25];
  for (const one of troubles) one.trouble = schedule.pick(shares);
  store.trouble /= 5;
  const struck: string[] = [];
  for (let left = Math.floor(schedule.random() * 7); left > 0; left -= 1) {
    schedule.after(schedule.between(0, stormMs), () => {
      const { name, strike }: Disaster = schedule.pick(disasters);
      struck.push(name);
      strike(world);
    });
  }
  const untilMs = stormMs + calmMs + quietMs;
  const isStill = (): boolean =>
    account.open === 0 &&
    collectors.every(({ disk }) => disk === undefined || disk.segments.length === 0) &&
    topic.kept.every(({ records }, partition) => {
      const last = records.at(-1);
      return last === undefined || (store.tables.positions.get(partition)?.next ?? 0n) > last.offset;
    });
  schedule.run(() => account.open === 0 && schedule.now() > stormMs, untilMs);
  for (const one of troubles) one.trouble = 0;
  // What was still on its way somewhere comes through, or never does.
  const calmAt = schedule.now() + calmMs;
  schedule.after(calmMs + 1, () => {});
  const isQuiet = schedule.run(() => schedule.now() > calmAt && isStill(), calmAt + quietMs);
  const faults = [
    ...store.faults,
    ...network.faults,
    ...judgeRun(account, store.tables, topic, excused),
    ...landed.missing(),
  ];
  if (!isQuiet) faults.unshift("it never comes to rest");
  store.close();
  schedule.run(() => true, 0);
  return {
    faults,
    disasters: struck,
    sent: account.sent.size,
    acked: account.acked.length,
    stored: store.tables.events.size,
  };
}

function excuse(partition: number, record: Parameters<typeof decodeRecord>[1], excused: Set<string>): void {
  const decoded = decodeRecord(partition, record);
  if (!isDecoded(decoded)) return;
  decoded.record.outcomes.forEach((code, index) => {
    const body = bodyOf(decoded, index);
    if (isPublished(code)) excused.add(unpackEvent(body).eventId ?? "");
    else if (code === outcome.refused) excused.add(JSON.parse(Buffer.from(body).toString()).event_id);
  });
}
