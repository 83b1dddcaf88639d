// Faults of the way between our processes and each server.
import { until } from "../support/until.ts";
import { createCommitWatch, type Harm, isCommitAnswer } from "./proxy.ts";
import type { Fault } from "./run-fault.ts";

type Name = "redis" | "kafka" | "postgres";

const harmedMs = 6_000;
const commits = 4;
const hitMsMax = 20_000;

const harmed = (name: Name, word: string, harm: Harm): Fault => ({
  name: `${name}_${word}`,
  mayRefuse: name === "kafka",
  async strike({ world, strikes }) {
    strikes();
    world[name].proxy.harm(harm);
    await Bun.sleep(harmedMs);
    world[name].proxy.heal();
  },
});

const atCommit = (name: string, from: "client" | "server", sees: () => (bytes: Buffer) => boolean): Fault => {
  return {
    name,
    mayRefuse: false,
    async strike({ world, strikes }) {
      const { proxy } = world.postgres;
      strikes();
      proxy.harm({ kind: "drop_at", from, sees: sees(), times: commits });
      await until("a commit is hit", hitMsMax, () => proxy.dropped() > 0).finally(() => {
        if (proxy.dropped() === 0) proxy.heal();
      });
      // Where the load ends before the others come, there is none left to hit.
      await until("all are hit", hitMsMax, () => proxy.dropped() === commits).catch(() => {});
      proxy.heal();
    },
  };
};

export const proxyFaults: readonly Fault[] = [
  ...(["redis", "kafka", "postgres"] as const).flatMap((name) => [
    harmed(name, "cut", { kind: "cut" }),
    harmed(name, "half_open", { kind: "half_open" }),
    harmed(name, "delay", { kind: "delay", ms: 100 }),
    harmed(name, "throttle", { kind: "throttle", bytesPerSecond: 64 * 1024 }),
  ]),
  atCommit("postgres_answer_dropped_after_commit", "server", () => isCommitAnswer),
  atCommit("postgres_reset_at_commit", "client", createCommitWatch),
];
