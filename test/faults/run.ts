// Runs the fault suite: `npm run faults [-- --json] [--events N] [--fault NAME,…] [--store timescale] [--long]
// [--readme]`. `--long` sends 300,000 events a fault, and adds three brokers and the other store.
import { clusterFaults, startCluster } from "./cluster.ts";
import { faults } from "./faults.ts";
import { saveReadme, sumOf, textOf } from "./report.ts";
import { type Fault, type FaultLine, type Ran, runFault } from "./run-fault.ts";
import { type StoreKind, storeKinds } from "./server-store.ts";
import { sqliteFaults, startSqlite } from "./sqlite.ts";
import { type Ground, startWorld, type World } from "./world.ts";

const words = process.argv.slice(2);
const isJson = words.includes("--json");
const isLong = words.includes("--long");
const wordAfter = (name: string): string | undefined =>
  words.includes(name) ? words[words.indexOf(name) + 1] : undefined;
const events = Number(wordAfter("--events") ?? (isLong ? 300_000 : 15_000));
const wanted = wordAfter("--fault")?.split(",");
const kind = storeKinds.find((one) => one === (wordAfter("--store") ?? "postgres"));
/** The faults that the store has a part in, for the second store. */
const isOfStore = ({ name }: { name: string }): boolean => /^(aggregator|postgres)_/.test(name);
const all = [...faults, ...sqliteFaults, ...clusterFaults].map(({ name }) => name);
if (kind === undefined || wanted?.some((name) => !all.includes(name)) || !(events >= 100)) {
  console.error(`the stores are ${storeKinds.join(", ")}; the faults are ${all.join(", ")}`);
  process.exit(2);
}

const say = (text: string): void => console.error(text);
const print = (line: FaultLine): void => console.log(isJson ? JSON.stringify(line) : textOf(line));
const lines: FaultLine[] = [];
let isSound = true;

async function run<Place extends Ground>(place: Place, fault: Fault<Place>, mark: string): Promise<void> {
  const began = Date.now();
  const ran = await runFault(place, fault, events).catch((error: unknown): Ran | undefined => {
    say(`FAILED: ${fault.name}: ${error instanceof Error ? error.stack : String(error)}`);
    return undefined;
  });
  const seconds = Math.round((Date.now() - began) / 1000);
  if (ran === undefined) {
    isSound = false;
    return;
  }
  const line = { ...ran.line, fault: `${fault.name}${mark}`, seconds };
  print(line);
  lines.push(line);
  for (const text of ran.faults) say(`${fault.name}: ${text}`);
  const { lost, extra, wrongly_refused: refused } = line;
  if (ran.faults.length > 0 || lost + extra + refused > 0) isSound = false;
  say(`${line.fault}: ${seconds} s`);
}

/** Starts a place where it is needed, runs its faults, and ends it. */
async function runAll<Place extends Ground>(
  start: () => Promise<Place>,
  chosen: readonly Fault<Place>[],
  mark = "",
): Promise<void> {
  if (chosen.length === 0) return;
  const place = await start();
  try {
    for (const fault of chosen) await run(place, fault, mark);
  } finally {
    await place.close();
  }
}

async function runStore(store: StoreKind, isSecond: boolean): Promise<void> {
  const choose = <One extends { name: string }>(some: readonly One[]): One[] =>
    some.filter((one) => wanted?.includes(one.name) ?? (!isSecond || isOfStore(one)));
  // Three brokers take minutes to lose one and to be whole again, so they are asked for.
  const onCluster = isLong || wanted !== undefined ? choose(clusterFaults) : [];
  const mark = store === "postgres" ? "" : `@${store}`;
  const onWorld = choose(faults);
  const onFiles = choose(sqliteFaults);
  if (onWorld.length + onFiles.length + onCluster.length === 0) return;
  const world: World = await startWorld(store, say);
  try {
    for (const fault of onWorld) await run(world, fault, mark);
    await runAll(() => startSqlite(world), onFiles, mark);
    await runAll(() => startCluster(world), onCluster, mark);
  } finally {
    await world.close();
  }
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

try {
  await runStore(kind, false);
  if (isLong && kind === "postgres" && wanted === undefined) await runStore("timescale", true);
} catch (error) {
  say(`FAILED: ${error instanceof Error ? error.stack : String(error)}`);
  isSound = false;
}
const sum = sumOf(lines);
print(sum);
if (words.includes("--readme")) saveReadme(lines, events, all);
process.exit(isSound ? 0 : 1);
