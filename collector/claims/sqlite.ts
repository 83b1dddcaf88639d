// Claims in a file, for one machine: a table in memory whose calls are kept in SQLite as a journal.
import { type Clock, systemClock } from "../../shared/clock.ts";
import { claimDoneMs, claimLeaseMs } from "../../shared/limits.ts";
import type { ClaimPrefix, ClaimRequest, ClaimStore } from "./claims.ts";
import { callKind, type Journal, openJournal, removeBroken } from "./journal.ts";
import { type ClaimTable, createClaimTable, type TableOptions } from "./table.ts";

export interface SqliteClaimsOptions extends TableOptions {
  path: string;
  prefix: ClaimPrefix;
  clock?: Clock | undefined;
  /** Bytes of calls kept per generation of the table. */
  journalBytesMax?: number | undefined;
}

/** A full generation is 393,216 keys of 16 bytes claimed and 24 settled: 16 MB; thrice that leaves room for hits. */
const journalBytesMax = 48 * 1024 * 1024;

/**
 * A row per key would touch a page per key, 30 µs for both phases. A row per call is one append, and a
 * process that finds calls of others makes them on its own table, in the same order. Written without
 * waiting for the disk: what a power cut takes is answered "nothing" once more, and the store settles it.
 */
export function createSqliteClaims(options: SqliteClaimsOptions): ClaimStore {
  const clock = options.clock ?? systemClock;
  const { journal, follow } = openFollowed(options, clock);

  // The table moves before the row is safe. If the commit fails this process alone knows of the call, as
  // it would if a power cut took the row.
  async function run(kind: number, request: ClaimRequest): Promise<Uint8Array | undefined> {
    return journal.alone(() => {
      const now = clock.now();
      follow.catchUp(now);
      const found = follow.make(kind, request, now);
      follow.note(journal.append(kind, request, now), request, now);
      return found;
    });
  }

  return {
    claim: async (request) => (await run(callKind.claim, request))!,
    settle: async (request) => void (await run(callKind.settle, request)),
    release: async (request) => void (await run(callKind.release, request)),
    count: async (name, events, untilMs) => journal.count(name, events, untilMs, clock.now()),
    health: async () => ({ evicts: false, detail: "in a file" }),
    close: async () => journal.close(),
  };
}

// A broken file of ours holds nothing that has to be kept, and is begun anew.
function openFollowed(options: SqliteClaimsOptions, clock: Clock) {
  for (let attempt = 1; ; attempt += 1) {
    let journal: Journal | undefined;
    try {
      journal = openJournal(options.path, options.prefix);
      const follow = createFollower(createClaimTable(options), journal, options);
      journal.alone(() => follow.catchUp(clock.now()));
      return { journal, follow };
    } catch (error) {
      journal?.close();
      if (attempt > 1 || !removeBroken(options.path, error)) throw error;
    }
  }
}

/** Keeps a table in step with the journal, and the journal no longer than the table remembers. */
function createFollower(table: ClaimTable, journal: Journal, options: SqliteClaimsOptions) {
  const bytesMax = options.journalBytesMax ?? journalBytesMax;
  const { leaseMs = claimLeaseMs, doneMs = claimDoneMs } = options;
  let seen = 0;
  let bytes = 0;
  let turns = 0;
  // Where the calls of the table's older and newer generation begin.
  let starts: readonly [number, number] = [0, 0];

  function make(kind: number, request: ClaimRequest, now: number): Uint8Array | undefined {
    if (kind === callKind.claim) return table.claim(request, now);
    if (kind === callKind.settle) table.settle(request, now);
    else table.release(request, now);
    return undefined;
  }

  function note(sequence: number, request: ClaimRequest, now: number): void {
    seen = sequence;
    bytes += request.hashes.length + request.fingerprints.length;
    if (bytes > bytesMax) table.turn(now);
    if (table.turns() === turns) return;
    turns = table.turns();
    bytes = 0;
    starts = [starts[1], sequence];
    journal.forget(starts[0], now - doneMs);
  }

  function catchUp(now: number): void {
    const end = journal.end();
    if (end === seen) return;
    for (const call of journal.after(seen, now - doneMs)) {
      // A lease that has lapsed since is not taken again, which halves a start after a long import. All
      // that is lost is that an old claim was prolonged.
      if (call.kind !== callKind.settle && call.at < now - leaseMs) continue;
      make(call.kind, call.request, call.at);
      note(call.sequence, call.request, call.at);
    }
    seen = end;
  }

  return { make, note, catchUp };
}
