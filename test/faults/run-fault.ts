// One fault from its load to its verdict.
import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { succeeded } from "../support/three-processes.ts";
import { until } from "../support/until.ts";
import {
  isSending,
  judge,
  type Kept,
  readAccounts,
  type Sent,
  type StoredRow,
  sizesOf,
  type Verdict,
} from "./judge.ts";
import type { Ground, World } from "./world.ts";

/** The places a fault may act on while the load runs. */
export interface Scene<Place extends Ground = World> {
  world: Place;
  /** To be called at the moment the fault strikes; the first call counts. */
  strikes(): void;
  /** Returns in the very moment in which a request is on its way, or after two seconds. */
  awaitRequest(): void;
}

export interface Fault<Place extends Ground = World> {
  name: string;
  /** 503 is right while this lasts: nothing durable could take an event on this way. */
  mayRefuse: boolean;
  /** The process ends with a transaction committed and not yet known to be. */
  endsAtCommit?: boolean;
  /** Before the load begins. */
  prepare?(scene: Scene<Place>): Promise<void>;
  /** Once 30 % are acknowledged; resolves when what was harmed serves again. */
  strike(scene: Scene<Place>): Promise<void>;
  /** After the verdict. */
  restore?(scene: Scene<Place>): Promise<void>;
}

export interface FaultLine extends Verdict {
  fault: string;
  recovered_ms: number;
}

export interface Ran {
  line: FaultLine;
  /** What is wrong, in words; empty where all is well. */
  faults: string[];
}

const strikeAt = 0.3;
const recoverMsMax = 30_000;
const residentMiBMax = 1024;
const overlap = 0.05;
const awaitRequestMsMax = 2000;

/** Runs the load on both edges, the fault in its middle, and judges. Rejects where the suite itself fails. */
export async function runFault<Place extends Ground>(
  world: Place,
  fault: Fault<Place>,
  events: number,
): Promise<Ran> {
  const project = `${fault.name}_${Date.now().toString(36)}`;
  const faults: string[] = [];
  const made = await world.processes.run(
    ["keys", "create", "--historical", "--project", project, "--json"],
    world.direct,
  );
  const key = String(succeeded(made).result["key"]);
  const { sent, files } = writeEvents(world.folder, project, events);
  const accounts = files.map((file) => `${file}.account`);
  let faultAtMs = 0;
  let sizesAtFault: number[] | undefined;
  const scene: Scene<Place> = {
    world,
    strikes() {
      if (sizesAtFault !== undefined) return;
      faultAtMs = Date.now();
      sizesAtFault = sizesOf(accounts);
    },
    awaitRequest() {
      const untilMs = Date.now() + awaitRequestMsMax;
      while (!accounts.some(isSending) && Date.now() < untilMs);
    },
  };
  await fault.prepare?.(scene);
  const positions = watchPositions(world, faults);
  const rate = Math.max(1000, Math.min(2000, events / 8));
  const loads = Promise.all(
    files.map((file, index) => {
      const words = [
        "--url",
        world.edges[index]!.url,
        "--key",
        key,
        "--file",
        file,
        "--log",
        accounts[index]!,
      ];
      const shares = ["--duplicate", "0.1", "--bad", "0.01", "--rate", `${rate / 2}`, "--batch", "50"];
      const more = ["--give-up", "120", "--seed", `${index + 1}`, "--json"];
      return world.processes.run(["load", ...words, ...shares, ...more], world.direct);
    }),
  );
  await until("30 % are acknowledged", 60_000, () => readAccounts(accounts).acked.size >= events * strikeAt);
  // Between two requests there is nothing to catch.
  scene.awaitRequest();
  await fault.strike(scene);
  scene.strikes();
  const healedAt = Date.now();
  const atHeal = readAccounts(accounts);
  const recovered = recover(world, project, atHeal.acked, healedAt);
  const ended = await loads;
  for (const load of ended)
    if (load.code !== 0) faults.push(`a load ended with ${load.code}: ${load.said.slice(-300)}`);
  const recoveredMs = await recovered;
  if (recoveredMs > recoverMsMax) faults.push(`in flight after ${recoverMsMax} ms`);
  const end = readAccounts(accounts);
  const closedMs = await recover(world, project, end.acked, Date.now());
  if (closedMs > recoverMsMax) faults.push("not everything was stored within 30 s of the load's end");
  await positions();
  faults.push(...(await reconciles(world)));
  const atFault = readAccounts(accounts, sizesAtFault);
  const evidence = { ...(await readStore(world, project)), sent, end, atFault, faultAtMs };
  const { altered, ...verdict } = judge({
    ...evidence,
    mayRefuse: fault.mayRefuse,
    endsAtCommit: fault.endsAtCommit === true,
  });
  if (altered > 0) faults.push(`${altered} rows have another content than was sent`);
  if (verdict.caught_in_flight === 0) faults.push("it caught nothing in flight, so it proved nothing");
  if (verdict.lost + verdict.extra + verdict.wrongly_refused > 0)
    faults.push(`answers: ${JSON.stringify([...end.whys])}`);
  for (const station of [...world.edges, ...world.collectors, ...world.aggregators]) {
    if (station.peakMiB() > residentMiBMax) faults.push(`${station.name} took ${station.peakMiB()} MiB`);
  }
  await fault.restore?.(scene);
  await Promise.all([...world.aggregators, ...world.collectors, ...world.edges].map((one) => one.ready()));
  return { line: { fault: fault.name, ...verdict, recovered_ms: recoveredMs }, faults };
}

/** A file for each edge; some events are in both, so that copies meet at two collectors. */
export function writeEvents(
  folder: string,
  project: string,
  events: number,
): { sent: Sent; files: string[] } {
  const sent = new Map<string, { payload: unknown; context: unknown }>();
  const files = [0, 1].map((index) => join(folder, `${project}-${index}.ndjson`));
  for (const file of files) writeFileSync(file, "");
  const lines: [string[], string[]] = [[], []];
  const now = Date.now();
  for (let number = 0; number < events; number += 1) {
    const id = `${project}-${number}`;
    const payload = { z: number / 7, a: [`é${number}`, null, true], path: `/p/${number % 97}` };
    const context = { country: "DE", app_version: `1.${number % 7}` };
    sent.set(id, { payload, context });
    const event = { event_id: id, type: number % 5 ? "page_view" : "click", user_id: `u${number % 1000}` };
    const timestamp = new Date(now - (number % 60_000)).toISOString();
    const line = JSON.stringify({ ...event, timestamp, payload, context });
    lines[(number % 2) as 0 | 1].push(line);
    if (number % Math.round(1 / overlap) === 0) lines[((number + 1) % 2) as 0 | 1].push(line);
  }
  files.forEach((file, index) => void appendFileSync(file, `${lines[index as 0 | 1].join("\n")}\n`));
  return { sent, files };
}

/** Waits until every one of these has a row, or twice the time allowed; answers how long it took. */
async function recover(world: Ground, project: string, ids: Set<string>, sinceMs: number): Promise<number> {
  const allThere = async (): Promise<boolean> => {
    const rows = await world.store.sql`select event_id from events where project_id = ${project}`;
    const there = new Set(rows.map((row) => String(row["event_id"])));
    return [...ids].every((id) => there.has(id));
  };
  for (;;) {
    if (await allThere().catch(() => false)) return Date.now() - sinceMs;
    if (Date.now() - sinceMs > recoverMsMax * 2) return Date.now() - sinceMs;
    await Bun.sleep(200);
  }
}

/** Looks at the positions all the while; answers how to end that. */
function watchPositions(world: Ground, faults: string[]): () => Promise<void> {
  const highest = new Map<string, bigint>();
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const rows = await world.store.sql`select log_id, partition, next_offset from log_positions`.catch(
        () => [],
      );
      for (const row of rows) {
        const at = `${row["log_id"]}/${row["partition"]}`;
        const next = BigInt(String(row["next_offset"]));
        if (next < (highest.get(at) ?? 0n)) faults.push(`the position of ${at} went back to ${next}`);
        highest.set(at, next);
      }
      await Bun.sleep(500);
    }
  })();
  return async () => {
    isOver = true;
    await watching;
  };
}

async function reconciles(world: Ground): Promise<string[]> {
  const ended = await world.processes.run(["reconcile", "--json"], world.direct);
  const isClosed = ended.code === 0 && ended.result["ok"] === true && ended.result["in_flight"] === 0;
  return isClosed ? [] : [`the ledger does not close: ${ended.said.slice(-600)}`];
}

async function readStore(world: Ground, project: string): Promise<{ rows: StoredRow[]; kept: Kept[] }> {
  const { sql } = world.store;
  const rows = await sql`
    select event_id, payload, context, stored_at from events where project_id = ${project}`;
  const kept = await sql`
    select convert_from(original, 'utf8') as original, reason from quarantine where project_id = ${project}`;
  return {
    rows: rows.map((row) => ({
      event_id: String(row["event_id"]),
      payload: row["payload"],
      context: row["context"],
      storedAtMs: (row["stored_at"] as Date).getTime(),
    })),
    kept: kept.map((row) => ({ eventId: idOf(String(row["original"])), reason: String(row["reason"]) })),
  };
}

function idOf(original: string): string | undefined {
  return /"event_id"\s*:\s*"([^"]*)"/.exec(original)?.[1];
}
