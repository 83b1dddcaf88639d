// Faults of the log while both collectors have a spool: what 503 was right for without one, it is no more.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { CrashPoint } from "../../shared/crash-point.ts";
import { segmentName } from "../../shared/spool/frame.ts";
import { until } from "../support/until.ts";
import type { Fault, Scene } from "./run-fault.ts";
import type { World } from "./world.ts";

const harmedMs = 12_000;
const endMsMax = 60_000;
const smallDisk = "400k";

const folderOf = (world: World, index: number): string => join(world.folder, `spool-${index + 1}`);

/** The settings that give a collector its spool. */
const spoolOf = (world: World, index: number) => ({ WEIR_SPOOL_DIR: folderOf(world, index) });

const segments = (world: World, index: number): number =>
  readdirSync(folderOf(world, index)).filter((name) => segmentName.test(name)).length;

const giveSpools = async ({ world }: Scene): Promise<void> =>
  void (await Promise.all(
    world.collectors.map((collector, index) => collector.arm({}, spoolOf(world, index))),
  ));

/** Nothing may stay behind: a spool that holds something at the end of its collector ends it with 1. */
async function takeSpools({ world }: Scene, release = (_: string): void => {}): Promise<void> {
  for (const [index, collector] of world.collectors.entries()) {
    await until(`spool ${index + 1} is empty`, endMsMax, () => segments(world, index) === 0);
    const ended = collector.nextEnd();
    await collector.arm({});
    const how = await ended;
    release(folderOf(world, index));
    rmSync(folderOf(world, index), { recursive: true });
    if (how !== "0") throw new Error(`${collector.name} ended with ${how}, its spool empty`);
  }
}

// A publish that hangs is given up after ten seconds; only then is anything spooled.
const bothHold = (world: World): Promise<void> =>
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
      const folder = folderOf(scene.world, index);
      mkdirSync(folder);
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${smallDisk}`, "tmpfs", folder]);
    }
    await giveSpools(scene);
  },
  async restore(scene) {
    await takeSpools(scene, (folder) => void execFileSync("umount", [folder]));
  },
});

/** `times` is chosen so that the point is reached while the log is away, or soon after. */
const crashes = (point: CrashPoint, times: number): Fault => {
  let ended: Promise<string>;
  return {
    name: `collector_${point}`,
    mayRefuse: true,
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
  crashes("spool_append", 40),
  crashes("spool_drain", 40),
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
  onSmallDisks(spooling({ name: "disk_full", mayRefuse: true, begin: cut, end: heal })),
  spooling({ name: "sigterm", mayRefuse: true, begin: cut, end: endWithSpool }),
];
