// One fault from its load to its verdict.
import type { Ended } from "../support/processes.ts";
import { succeeded } from "../support/three-processes.ts";
import { until } from "../support/until.ts";
import { type Peaks, watchCaps } from "./caps.ts";
import { writeEvents } from "./events.ts";
import { followAcked, isSending, judge, readAccounts, sizesOf, type Verdict } from "./judge.ts";
import { keptOf, reconciles, rowsOf, untilStored, type Wanted, watchPositions } from "./look.ts";
import type { Ground, World } from "./world.ts";

/** The places a fault may act on while the load runs. */
export interface Scene<Place extends Ground = World> {
  world: Place;
  /** To be called at the moment the fault strikes; the first call counts. */
  strikes(): void;
  /** Returns in the very moment in which a request is on its way, or after two seconds. */
  awaitRequest(): void;
  /** How often a point is passed by the middle of this load, when a load of 15,000 passes it `times` times. */
  scaled(times: number): number;
  /** Resolves when all that is acknowledged by now has a row; rejects where that takes a minute. */
  untilStored(): Promise<void>;
}

export interface Fault<Place extends Ground = World> {
  name: string;
  /** 503 is right while this lasts: nothing durable could take an event on this way. */
  mayRefuse: boolean;
  /** The process ends at a point of its own, which may be before or after `strike` is called. */
  endsItself?: boolean;
  /** The process ends with a transaction committed and not yet known to be. */
  endsAtCommit?: boolean;
  /** Bytes that all events together are larger by. */
  padBytes?: number;
  /** Before the load begins. */
  prepare?(scene: Scene<Place>): Promise<void>;
  /** Once 30 % are acknowledged; resolves when what was harmed serves again. */
  strike(scene: Scene<Place>): Promise<void>;
  /** After the verdict. */
  restore?(scene: Scene<Place>): Promise<void>;
}

export interface FaultLine extends Verdict, Peaks {
  fault: string;
  recovered_ms: number;
  /** What all of it took, from the writing of its events to the verdict. */
  seconds?: number;
}

export interface Ran {
  line: FaultLine;
  /** What is wrong, in words; empty where all is well. */
  faults: string[];
}

const strikeAt = 0.3;
const recoverMsMax = 30_000;
const awaitRequestMsMax = 2000;
const eventsOfCi = 15_000;

/** Runs the load on both edges, the fault in its middle, and judges. Rejects where the suite itself fails. */
export async function runFault<Place extends Ground>(
  world: Place,
  fault: Fault<Place>,
  events: number,
): Promise<Ran> {
  const project = `${fault.name}_${Date.now().toString(36)}`;
  const words = ["keys", "create", "--historical", "--client-context", "--project", project, "--json"];
  const made = succeeded(await world.processes.run(words, world.direct));
  const written = writeEvents(world.folder, project, events, Math.ceil((fault.padBytes ?? 0) / events));
  const wanted = { project, leastId: written.leastId };
  const accounts = written.files.map((file) => `${file}.account`);
  const strike: Strike = { atMs: 0, sizes: undefined };
  const scene = sceneOf(world, wanted, accounts, events, strike);
  const faults: string[] = [];
  await fault.prepare?.(scene);
  const positions = watchPositions(world, faults);
  const caps = watchCaps(world, events, faults);
  const loads = startLoads(world, written.files, String(made.result["key"]), events);
  let recoveredMs = 0;
  let peaks: Peaks;
  try {
    const acked = followAcked(accounts);
    await until("30 % are acknowledged", 60_000 + events, () => acked() >= events * strikeAt);
    // Between two requests there is nothing to catch; and who waits for an end must not look away from it.
    if (!fault.endsItself) scene.awaitRequest();
    await fault.strike(scene);
    scene.strikes();
    recoveredMs = await closes(world, wanted, accounts, loads, faults);
  } catch (error) {
    world.heal();
    await loads.catch(() => {});
    await fault.restore?.(scene).catch((second: unknown) => console.error(String(second)));
    throw error;
  } finally {
    peaks = caps();
    await positions();
  }
  faults.push(...(await reconciles(world)));
  const end = readAccounts(accounts);
  const { altered, ...verdict } = await judge({
    rows: rowsOf(world, wanted),
    kept: await keptOf(world, wanted),
    ...{ sentOf: written.sentOf, end, faultAtMs: strike.atMs },
    atFault: readAccounts(accounts, strike.sizes),
    mayRefuse: fault.mayRefuse,
    endsAtCommit: fault.endsAtCommit === true,
  });
  if (altered > 0) faults.push(`${altered} rows have another content than was sent`);
  if (verdict.caught_in_flight === 0) faults.push("it caught nothing in flight, so it proved nothing");
  if (verdict.lost + verdict.extra + verdict.wrongly_refused > 0)
    faults.push(`answers: ${JSON.stringify([...end.whys])}`);
  await fault.restore?.(scene);
  await Promise.all([...world.aggregators, ...world.collectors, ...world.edges].map((one) => one.ready()));
  return { line: { fault: fault.name, ...verdict, recovered_ms: recoveredMs, ...peaks }, faults };
}

interface Strike {
  atMs: number;
  /** How long the accounts were then. */
  sizes: number[] | undefined;
}

function sceneOf<Place extends Ground>(
  world: Place,
  wanted: Wanted,
  accounts: readonly string[],
  events: number,
  strike: Strike,
): Scene<Place> {
  return {
    world,
    strikes() {
      if (strike.sizes !== undefined) return;
      strike.atMs = Date.now();
      strike.sizes = sizesOf(accounts);
    },
    awaitRequest() {
      const untilMs = Date.now() + awaitRequestMsMax;
      while (!accounts.some(isSending) && Date.now() < untilMs);
    },
    scaled: (times) => Math.ceil((times * events) / eventsOfCi),
    async untilStored() {
      const { acked } = readAccounts(accounts);
      const msMax = recoverMsMax * 2;
      const tookMs = await untilStored(world, wanted, acked, Date.now(), msMax);
      if (tookMs > msMax) throw new Error("not all that was acknowledged got written");
    },
  };
}

function startLoads(world: Ground, files: readonly string[], key: string, events: number): Promise<Ended[]> {
  // Ten times what it takes undisturbed, besides what an event may wait before it is given up.
  const loadMsMax = 300_000 + events * 5;
  const rate = Math.max(1000, Math.min(2000, events / 8));
  return Promise.all(
    files.map((file, index) => {
      const where = ["--url", world.edges[index]!.url, "--key", key, "--file", file];
      const shares = ["--duplicate", "0.1", "--bad", "0.01", "--rate", `${rate / 2}`, "--batch", "50"];
      const more = ["--give-up", "120", "--seed", `${index + 1}`, "--log", `${file}.account`, "--json"];
      return world.processes.run(["load", ...where, ...shares, ...more], world.direct, loadMsMax);
    }),
  );
}

/** Waits for all that was acknowledged at the healing, and at the end; answers how long the first took. */
async function closes(
  world: Ground,
  wanted: Wanted,
  accounts: readonly string[],
  loads: Promise<Ended[]>,
  faults: string[],
): Promise<number> {
  const { acked } = readAccounts(accounts);
  const [recoveredMs, ended] = await Promise.all([
    untilStored(world, wanted, acked, Date.now(), recoverMsMax * 2),
    loads,
  ]);
  for (const load of ended)
    if (load.code !== 0) faults.push(`a load ended with ${load.code}: ${load.said.slice(-300)}`);
  if (recoveredMs > recoverMsMax) faults.push(`in flight after ${recoverMsMax} ms`);
  const end = readAccounts(accounts);
  const closedMs = await untilStored(world, wanted, end.acked, Date.now(), recoverMsMax * 2);
  if (closedMs > recoverMsMax) faults.push("not everything was stored within 30 s of the load's end");
  return recoveredMs;
}
