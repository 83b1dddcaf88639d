// What may go wrong all at once: ends, stops, jumps, outages, and what is forgotten.
import type { World } from "./seed.ts";

export interface Disaster {
  name: string;
  strike(world: World): void;
}

const minuteMs = 60_000;

export const disasters: readonly Disaster[] = [
  {
    name: "a collector is killed",
    strike({ schedule, collectors, restartCollector }) {
      const at = Math.floor(schedule.random() * collectors.length);
      collectors[at]!.place.kill();
      schedule.after(schedule.between(5, 4_000), () => restartCollector(at));
    },
  },
  {
    name: "an aggregator is killed",
    strike({ schedule, aggregators, store, group, restartAggregator }) {
      const at = Math.floor(schedule.random() * aggregators.length);
      const place = aggregators[at]!;
      place.kill();
      schedule.after(schedule.between(0, 100), () => store.bury(place));
      schedule.after(schedule.between(100, 3_000), () => group.drop(place));
      schedule.after(schedule.between(5, 4_000), () => restartAggregator(at));
    },
  },
  {
    name: "an edge is killed",
    strike({ schedule, edges, restartEdge }) {
      const at = Math.floor(schedule.random() * edges.length);
      edges[at]!.place.kill();
      schedule.after(schedule.between(5, 1_000), () => restartEdge(at));
    },
  },
  {
    name: "a collector is stopped for a while",
    strike({ schedule, collectors }) {
      schedule.pick(collectors).place.freeze(schedule.between(50, 40_000));
    },
  },
  {
    name: "an aggregator is stopped for a while, and its partitions go to the other",
    strike({ schedule, aggregators, group }) {
      schedule.pick(aggregators).freeze(schedule.between(50, 20_000));
      schedule.after(schedule.between(0, 3_000), group.share);
    },
  },
  {
    name: "a clock jumps",
    strike({ schedule, collectors, edges, aggregators }) {
      const places = [...collectors, ...edges].map(({ place }) => place);
      schedule.pick([...places, ...aggregators]).jump(schedule.between(-5 * minuteMs, 5 * minuteMs));
    },
  },
  { name: "the claims are flushed", strike: ({ claims }) => claims.flush() },
  {
    name: "the claims are away",
    strike: ({ claims, schedule }) => claims.outage(schedule.between(10, 5_000)),
  },
  { name: "the log is away", strike: ({ broker, schedule }) => broker.outage(schedule.between(10, 15_000)) },
  { name: "the store is away", strike: ({ store, schedule }) => store.outage(schedule.between(10, 20_000)) },
  { name: "the partitions are given out anew", strike: ({ group }) => group.share() },
  {
    name: "the log forgets",
    strike({ schedule, topic, forget }) {
      const partition = Math.floor(schedule.random() * topic.kept.length);
      const { start, records } = topic.kept[partition]!;
      forget(partition, start + BigInt(Math.floor(schedule.random() * (records.length + 1))));
    },
  },
  {
    // It may grow again beyond what was read before anybody looks.
    name: "the log becomes shorter",
    strike({ schedule, topic, group, cut }) {
      cut(Math.floor(schedule.random() * topic.kept.length), 1 + Math.floor(schedule.random() * 3));
      // The regular look of whoever reads it.
      schedule.after(schedule.between(0, 10_000), group.share);
    },
  },
];
