// Runs the fault suite: `npm run faults [-- --json] [--events N] [--fault NAME,…] [--long] [--readme]`.
import { faults } from "./faults.ts";
import { saveReadme, sumOf, textOf } from "./report.ts";
import { type Fault, type FaultLine, type Ran, runFault } from "./run-fault.ts";
import { sqliteFaults, startSqlite } from "./sqlite.ts";
import { type Ground, startWorld } from "./world.ts";

const words = process.argv.slice(2);
const isJson = words.includes("--json");
const isLong = words.includes("--long");
const wordAfter = (name: string): string | undefined =>
  words.includes(name) ? words[words.indexOf(name) + 1] : undefined;
const events = Number(wordAfter("--events") ?? (isLong ? 300_000 : 15_000));
const wanted = wordAfter("--fault")?.split(",");
const isChosen = ({ name }: { name: string }): boolean => wanted === undefined || wanted.includes(name);
const chosen = faults.filter(isChosen);
const chosenSqlite = sqliteFaults.filter(isChosen);
const count = chosen.length + chosenSqlite.length;
if (count === 0 || count < (wanted?.length ?? 0) || !(events >= 100)) {
  console.error(`the faults are ${[...faults, ...sqliteFaults].map(({ name }) => name).join(", ")}`);
  process.exit(2);
}

const say = (text: string): void => console.error(text);
const print = (line: FaultLine): void => console.log(isJson ? JSON.stringify(line) : textOf(line));
const lines: FaultLine[] = [];
let isSound = true;
const world = await startWorld(say);

async function run<Place extends Ground>(place: Place, fault: Fault<Place>): Promise<void> {
  const began = Date.now();
  const ran = await runFault(place, fault, events).catch((error: unknown): Ran | undefined => {
    say(`FAILED: ${fault.name}: ${error instanceof Error ? error.stack : String(error)}`);
    return undefined;
  });
  if (ran === undefined) {
    isSound = false;
    for (const server of [world.redis, world.kafka, world.postgres]) {
      server.thaw();
      server.proxy.heal();
    }
    await fault
      .restore?.({ world: place, strikes() {}, awaitRequest() {} })
      .catch((error: unknown) => say(String(error)));
    return;
  }
  print(ran.line);
  lines.push(ran.line);
  for (const text of ran.faults) say(`${fault.name}: ${text}`);
  const { lost, extra, wrongly_refused: refused } = ran.line;
  if (ran.faults.length > 0 || lost + extra + refused > 0) isSound = false;
  say(`${fault.name}: ${Math.round((Date.now() - began) / 1000)} s`);
}

try {
  for (const fault of chosen) await run(world, fault);
  if (chosenSqlite.length > 0) {
    const sqlite = await startSqlite(world);
    try {
      for (const fault of chosenSqlite) await run(sqlite, fault);
    } finally {
      await sqlite.close();
    }
  }
} catch (error) {
  say(`FAILED: ${error instanceof Error ? error.stack : String(error)}`);
  isSound = false;
} finally {
  const ours = [...world.edges, ...world.collectors, ...world.aggregators];
  say(`most memory: ${ours.map((one) => `${one.name} ${one.peakMiB()} MiB`).join(", ")}`);
  await world.close().catch((error: unknown) => {
    say(`the end: ${String(error)}`);
    isSound = false;
  });
}
const sum = sumOf(lines);
print(sum);
if (words.includes("--readme")) saveReadme([...lines, sum], events);
process.exit(isSound ? 0 : 1);
