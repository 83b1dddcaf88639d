// Faults of the log while both collectors have a spool: what 503 was right for without one, it is no more.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import type { CrashPoint } from "../../shared/crash-point.ts";
import { segmentName } from "../../shared/spool/frame.ts";
import { until } from "../support/until.ts";
import { bytesIn, spoolBytesMax } from "./caps.ts";
import type { Fault, Scene } from "./run-fault.ts";
import { type Ground, spoolFolder, type World } from "./world.ts";

const harmedMs = 12_000;
const fillMsMax = 120_000;
const endMsMax = 60_000;
const smallDisk = "400k";

/** The settings that give a collector its spool. */
const spoolOf = (world: Ground, index: number) => ({
  WEIR_SPOOL_DIR: spoolFolder(world, index),
  WEIR_SPOOL_BYTES_MAX: `${spoolBytesMax}`,
});

const segments = (world: Ground, index: number): number =>
  readdirSync(spoolFolder(world, index)).filter((name) => segmentName.test(name)).length;

export const giveSpools = async ({ world }: Scene<Ground>): Promise<void> =>
  void (await Promise.all(
    world.collectors.map((collector, index) => collector.arm({}, spoolOf(world, index))),
  ));

/** Nothing may stay behind: a spool that holds something at the end of its collector ends it with 1. */
export async function takeSpools({ world }: Scene<Ground>, release = (_: string): void => {}): Promise<void> {
  for (const [index, collector] of world.collectors.entries()) {
    await until(`spool ${index + 1} is empty`, endMsMax, () => segments(world, index) === 0);
    const ended = collector.nextEnd();
    await collector.arm({});
    const how = await ended;
    release(spoolFolder(world, index));
    rmSync(spoolFolder(world, index), { recursive: true });
    if (how !== "0") throw new Error(`${collector.name} ended with ${how}, its spool empty`);
  }
}

// A publish that hangs is given up after ten seconds; only then is anything spooled.
export const bothHold = (world: Ground): Promise<void> =>
  until("both spools hold something", harmedMs * 2, () =>
    world.collectors.every((_, index) => segments(world, index) > 0),
  );

interface Way {
  name: string;
  /** 503 is right where the spool is full, or its collector away. */
  mayRefuse: boolean;
  begin(world: World): void | Promise<void>;
  end(world: World): void | Promise<void>;
}

const spooling = ({ name, mayRefuse, begin, end }: Way): Fault => ({
  name: `spool_${name}`,
  mayRefuse,
  prepare: giveSpools,
  async strike({ world, strikes, awaitRequest }) {
    awaitRequest();
    strikes();
    await begin(world);
    try {
      await bothHold(world);
      await Bun.sleep(harmedMs / 2);
    } finally {
      await end(world);
    }
  },
  restore: (scene) => takeSpools(scene),
});

const cut = ({ kafka }: World): void => kafka.proxy.harm({ kind: "cut" });
const heal = ({ kafka }: World): void => kafka.proxy.heal();

/** While the log is away and its spool holds something, a collector names what stays and ends with 1. */
async function endWithSpool(world: World): Promise<void> {
  const collector = world.collectors[0]!;
  const ended = collector.nextEnd();
  collector.signal("SIGTERM");
  const how = await ended;
  heal(world);
  if (how !== "1") throw new Error(`${collector.name} ended with ${how}, its spool full of records`);
  await collector.ready();
}

/** A few seconds fill the disk of each spool. */
const onSmallDisks = (fault: Fault): Fault => ({
  ...fault,
  async prepare(scene) {
    for (const index of scene.world.collectors.keys()) {
      const folder = spoolFolder(scene.world, index);
      mkdirSync(folder);
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${smallDisk}`, "tmpfs", folder]);
    }
    await giveSpools(scene);
  },
  async restore(scene) {
    await takeSpools(scene, (folder) => void execFileSync("umount", [folder]));
  },
});

// Large events fill both spools to their bound; 503 is right from there on.
const full: Fault = {
  ...spooling({
    name: "full",
    mayRefuse: true,
    async begin(world) {
      cut(world);
      await until("both spools are full", fillMsMax, () =>
        world.collectors.every((_, index) => bytesIn(spoolFolder(world, index)) > spoolBytesMax * 0.9),
      );
    },
    end: heal,
  }),
  // The share that comes after the strike is more than both hold.
  padBytes: 5 * spoolBytesMax,
};

/** `times` is chosen so that the point is reached while the log is away, or soon after. */
const crashes = (point: CrashPoint, times: number): Fault => {
  let ended: Promise<string>;
  return {
    name: `collector_${point}`,
    mayRefuse: true,
    endsItself: true,
    async prepare({ world, strikes }) {
      const [first, second] = world.collectors;
      await first!.arm({ WEIR_TEST_CRASH_AT: `${point}:${times}` }, spoolOf(world, 0));
      await second!.arm({}, spoolOf(world, 1));
      ended = first!.nextEnd();
      void ended.then(strikes);
    },
    async strike({ world }) {
      cut(world);
      await Promise.race([ended, bothHold(world).then(() => Bun.sleep(harmedMs / 2))]).finally(() =>
        heal(world),
      );
      const how = await Promise.race([ended, Bun.sleep(endMsMax).then(() => "never")]);
      if (how !== "SIGKILL") throw new Error(`${point} was not reached: ${how}`);
      await world.collectors[0]!.ready();
    },
    restore: (scene) => takeSpools(scene),
  };
};

export const spoolFaults: readonly Fault[] = [
  crashes("spool_append", 10),
  crashes("spool_drain", 10),
  spooling({ name: "kafka_cut", mayRefuse: false, begin: cut, end: heal }),
  spooling({
    name: "kafka_kill",
    mayRefuse: false,
    begin: ({ kafka }) => kafka.kill(),
    end: ({ kafka }) => kafka.start(),
  }),
  spooling({
    name: "kafka_stop",
    mayRefuse: false,
    begin: ({ kafka }) => kafka.freeze(),
    end: ({ kafka }) => kafka.thaw(),
  }),
  full,
  onSmallDisks(spooling({ name: "disk_full", mayRefuse: true, begin: cut, end: heal })),
  spooling({ name: "sigterm", mayRefuse: true, begin: cut, end: endWithSpool }),
];
