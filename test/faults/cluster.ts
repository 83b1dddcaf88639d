// Everything on three brokers, each partition on all of them and two needed, and the loss of some of them.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Admin } from "@platformatic/kafka";
import { until } from "../support/until.ts";
import { giveSpools, takeSpools } from "./faults-spool.ts";
import type { Fault, Scene } from "./run-fault.ts";
import { startBrokers } from "./server-kafka.ts";
import type { Server } from "./servers.ts";
import { type Ground, startSix, type World } from "./world.ts";

export interface Cluster extends Ground {
  /** The brokers, that one first which leads most partitions now. */
  fromLeader(): Promise<Server[]>;
  /** Resolves when every partition has a leader and all its replicas in sync. */
  untilWhole(): Promise<void>;
}

const topic = "weir.faults.cluster";
const replicas = 3;
/** Past a broker's session with the controllers, which is nine seconds. */
const stoppedMs = 15_000;
/** Past a publish's own deadline. */
const awayMs = 12_000;
const wholeMsMax = 90_000;

/** Two of each process on three brokers of their own, and on the world's Redis and store. */
export async function startCluster(world: World): Promise<Cluster> {
  const folder = join(world.folder, "cluster");
  mkdirSync(folder);
  const brokers = await startBrokers();
  const urls = brokers.map(({ directUrl }) => new URL(directUrl).host);
  const admin = new Admin({ clientId: "weir-faults", bootstrapBrokers: urls, retries: 3 });
  const end = async (): Promise<void> => {
    await admin.close().catch(() => {});
    await Promise.all(brokers.map((broker) => broker.close()));
  };
  const partitions = async () => {
    const found = await admin.metadata({ topics: [topic], forceUpdate: true });
    return found.topics.get(topic)?.partitions ?? [];
  };
  const { processes, postgres, redis } = world;
  try {
    const ground = await startSix({
      ...{ folder, schema: "weir_faults_cluster", processes, postgres, urls: {} },
      shared: {
        WEIR_LOG_URL: `kafka://${urls.join(",")}`,
        WEIR_LOG_TOPIC: topic,
        WEIR_CLAIMS_URL: redis.directUrl,
      },
    });
    return {
      ...ground,
      async fromLeader() {
        const leaders = (await partitions()).map(({ leader }) => leader);
        const led = (index: number): number => leaders.filter((leader) => leader === index + 1).length;
        const order = brokers.map((broker, index) => ({ broker, led: led(index) }));
        return order.sort((one, other) => other.led - one.led).map(({ broker }) => broker);
      },
      untilWhole: () =>
        until("all replicas are in sync", wholeMsMax, async () => {
          const all = await partitions().catch(() => []);
          return all.length > 0 && all.every(({ leader, isr }) => leader > 0 && isr.length === replicas);
        }),
      heal() {
        for (const broker of brokers) broker.thaw();
      },
      async close() {
        for (const broker of brokers) broker.thaw();
        await ground.close();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** What is done to how many brokers, leaders first. */
const lost = (name: string, count: number, how: "kill" | "freeze"): Fault<Cluster> => ({
  name,
  mayRefuse: true,
  async strike({ world, strikes, awaitRequest }) {
    const hit = (await world.fromLeader()).slice(0, count);
    awaitRequest();
    strikes();
    for (const broker of hit) if (how === "freeze") broker.freeze();
    if (how === "kill") await Promise.all(hit.map((broker) => broker.kill()));
    await Bun.sleep(how === "kill" ? awayMs : stoppedMs);
    for (const broker of hit) if (how === "freeze") broker.thaw();
    if (how === "kill") await Promise.all(hit.map((broker) => broker.start()));
    await world.untilWhole();
  },
});

// With a spool there is a place for every event, whoever leads.
const spooled = (fault: Fault<Cluster>): Fault<Cluster> => ({
  ...fault,
  name: `spool_${fault.name}`,
  mayRefuse: false,
  prepare: giveSpools,
  restore: (scene: Scene<Cluster>) => takeSpools(scene),
});

export const clusterFaults: readonly Fault<Cluster>[] = [
  lost("leader_kill", 1, "kill"),
  lost("leader_stop", 1, "freeze"),
  lost("two_brokers_kill", 2, "kill"),
  lost("two_brokers_stop", 2, "freeze"),
  spooled(lost("leader_kill", 1, "kill")),
  spooled(lost("two_brokers_kill", 2, "kill")),
];
