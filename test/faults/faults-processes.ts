// Faults of our own processes: ended at named points, killed, made to stand still, told to end.
import type { CrashPoint } from "../../shared/crash-point.ts";
import { succeeded } from "../support/three-processes.ts";
import { until } from "../support/until.ts";
import type { Fault } from "./run-fault.ts";

type Kind = "edges" | "collectors" | "aggregators";

/** Past the lease of a claim's batch and the session of a consumer's group. */
const stoppedMs = 12_000;
/** The end of a process that is to come by itself. */
const endMsMax = 60_000;

// Only the edge and the collector stand between a client and the log.
const mayRefuse = (kind: Kind): boolean => kind !== "aggregators";
const wordOf = (kind: Kind): string => kind.slice(0, -1);

const signalled = (kind: Kind, signal: NodeJS.Signals): Fault => ({
  name: `${wordOf(kind)}_${signal === "SIGKILL" ? "kill" : "sigterm"}`,
  mayRefuse: mayRefuse(kind),
  async strike({ world, strikes, awaitRequest }) {
    const target = world[kind][0]!;
    awaitRequest();
    strikes();
    const ended = target.nextEnd();
    target.signal(signal);
    const how = await ended;
    if (signal === "SIGTERM" && how !== "0") throw new Error(`${target.name} ended with ${how} at SIGTERM`);
    await target.ready();
  },
});

const stopped = (kind: Kind): Fault => ({
  name: `${wordOf(kind)}_stop`,
  mayRefuse: mayRefuse(kind),
  async strike({ world, strikes }) {
    const target = world[kind][0]!;
    strikes();
    target.signal("SIGSTOP");
    await Bun.sleep(stoppedMs);
    target.signal("SIGCONT");
    await target.ready();
  },
});

/** `times` is small enough to be reached while the load runs, however slow the machine and large the steps. */
const crashed = (kind: Kind, point: CrashPoint, times: number): Fault => {
  let ended: Promise<string>;
  return {
    name: `${wordOf(kind)}_${point}`,
    mayRefuse: mayRefuse(kind),
    endsItself: true,
    endsAtCommit: point === "after_commit",
    async prepare({ world, strikes, scaled }) {
      const target = world[kind][0]!;
      await target.arm({ WEIR_TEST_CRASH_AT: `${point}:${scaled(times)}` });
      ended = target.nextEnd();
      void ended.then(strikes);
    },
    async strike({ world }) {
      const late = Bun.sleep(endMsMax).then(() => "never");
      const how = await Promise.race([ended, late]);
      if (how !== "SIGKILL") throw new Error(`${point} was not reached: ${how}`);
      await world[kind][0]!.ready();
    },
  };
};

/** Its database session is inside COPY, where no timeout of the server reaches it; the other one takes over. */
const zombie: Fault = {
  name: "aggregator_stop_in_copy",
  mayRefuse: false,
  async prepare({ world, scaled }) {
    await world.aggregators[0]!.arm({ WEIR_TEST_CRASH_AT: `in_copy:${scaled(4)}:SIGSTOP` });
  },
  async strike({ world, strikes, untilStored }) {
    const target = world.aggregators[0]!;
    await until("it stands still inside COPY", endMsMax, target.isStopped);
    strikes();
    await Bun.sleep(stoppedMs);
    // Nothing waits for the one that stands still: all that was taken gets written without it.
    await untilStored();
    target.signal("SIGCONT");
    await target.ready();
  },
};

/** A schema of its own is being made on the same server while it happens. */
const migration: Fault = {
  name: "migration_crash",
  mayRefuse: false,
  async strike({ world, strikes }) {
    const own = { ...world.direct, WEIR_STORE_SCHEMA: "weir_faults_migration" };
    await world.store.sql`drop schema if exists weir_faults_migration cascade`;
    strikes();
    const cut = await world.processes.run(["migrate"], { ...own, WEIR_TEST_CRASH_AT: "migration:4" });
    if (cut.code === 0) throw new Error("the migration was not cut short");
    succeeded(await world.processes.run(["migrate"], own));
    await world.store.sql`drop schema weir_faults_migration cascade`;
  },
};

export const processFaults: readonly Fault[] = [
  crashed("collectors", "after_claim", 40),
  crashed("collectors", "after_publish", 40),
  crashed("collectors", "after_settle", 40),
  crashed("aggregators", "in_copy", 4),
  crashed("aggregators", "before_commit", 4),
  crashed("aggregators", "after_commit", 4),
  migration,
  zombie,
  ...(["edges", "collectors", "aggregators"] as const).flatMap((kind) => [
    signalled(kind, "SIGKILL"),
    signalled(kind, "SIGTERM"),
    stopped(kind),
  ]),
];
