// The suite's own looks at the store and the ledger while a fault runs and after it.
import type { ReservedSql } from "postgres";
import type { Kept, StoredRow } from "./judge.ts";
import type { Ground } from "./world.ts";

/** What is looked for: a fault's project, and the least id its rows can have, for the index to start at. */
export interface Wanted {
  project: string;
  leastId: string;
}

const pieceRows = 5_000;
const lookEveryMs = 200;
const readMsMax = 300_000;

/**
 * Waits until every one of `ids` has a row, but no longer than `msMax`; answers how long it took from `sinceMs`.
 */
export async function untilStored(
  world: Ground,
  wanted: Wanted,
  ids: ReadonlySet<string>,
  sinceMs: number,
  msMax: number,
): Promise<number> {
  const { sql } = world.store;
  const missing = new Set(ids);
  const areAllThere = async (): Promise<boolean> => {
    const [row] = await sql`
      select count(*) as rows from events where id >= ${wanted.leastId} and project_id = ${wanted.project}`;
    // Fewer rows than events: no need to name them.
    if (Number(row?.["rows"]) < ids.size) return false;
    const found = sql`
      select event_id from events where id >= ${wanted.leastId} and project_id = ${wanted.project}`;
    for await (const rows of found.cursor(pieceRows)) {
      for (const one of rows) missing.delete(String(one["event_id"]));
    }
    return missing.size === 0;
  };
  for (;;) {
    const began = Date.now();
    const isOver = await areAllThere().catch(() => false);
    const passedMs = Date.now() - sinceMs;
    if (isOver || passedMs > msMax) return passedMs;
    // A look at many rows is not to be what slows the store down.
    await Bun.sleep(Math.max(lookEveryMs, Date.now() - began));
  }
}

/** Looks at the positions all the while; answers how to end that. */
export function watchPositions(world: Ground, faults: string[]): () => Promise<void> {
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

/** What is wrong with the ledger at a quiet point; empty where it closes. */
export async function reconciles(world: Ground): Promise<string[]> {
  const ended = await world.processes.run(["reconcile", "--json"], world.direct);
  const isClosed = ended.code === 0 && ended.result["ok"] === true && ended.result["in_flight"] === 0;
  return isClosed ? [] : [`the ledger does not close: ${ended.said.slice(-600)}`];
}

/** A fault's rows, a piece of them in memory at a time. */
export async function* rowsOf(world: Ground, wanted: Wanted): AsyncGenerator<StoredRow> {
  const session = await unhurried(world);
  try {
    const found = session`
      select event_id, payload, context, stored_at from events
      where id >= ${wanted.leastId} and project_id = ${wanted.project}`;
    for await (const rows of found.cursor(pieceRows)) {
      for (const row of rows) {
        yield {
          event_id: String(row["event_id"]),
          payload: row["payload"],
          context: row["context"],
          storedAtMs: (row["stored_at"] as Date).getTime(),
        };
      }
    }
  } finally {
    await giveBack(session);
  }
}

/** What of a fault's project is in quarantine. */
export async function keptOf(world: Ground, { project }: Wanted): Promise<Kept[]> {
  const session = await unhurried(world);
  try {
    const kept = await session`
      select convert_from(original, 'utf8') as original, reason from quarantine where project_id = ${project}`;
    return kept.map((row) => ({ eventId: idOf(String(row["original"])), reason: String(row["reason"]) }));
  } finally {
    await giveBack(session);
  }
}

// The verdict waits for its rows however busy the machine is: no promise is about how fast they are read.
async function unhurried(world: Ground): Promise<ReservedSql> {
  const session = await world.store.sql.reserve();
  await session.unsafe(`set statement_timeout = ${readMsMax}`);
  return session;
}

async function giveBack(session: ReservedSql): Promise<void> {
  await session.unsafe("reset statement_timeout").catch(() => {});
  session.release();
}

function idOf(original: string): string | undefined {
  return /"event_id"\s*:\s*"([^"]*)"/.exec(original)?.[1];
}
