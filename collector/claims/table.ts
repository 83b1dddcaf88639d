// The rules of claims on a table in memory: what the embedded drivers keep, and all the memory: one is.
import { claimDoneMs, claimLeaseMs } from "../../shared/limits.ts";
import { type ClaimRequest, foundAs } from "./claims.ts";
import { createGeneration, type Generation, type KeyColumns, wordsOf } from "./generation.ts";

/**
 * Keys in one of a table's two generations: 2^19 slots of 48 bytes, three quarters full, so that both take
 * 50 MB at most. At 10,000 events a second one generation lasts 39 s, longer than a lease; faster than that
 * claims are forgotten early, and the store finds the copies.
 */
const keysMax = 393_216;

export interface TableOptions {
  leaseMs?: number | undefined;
  doneMs?: number | undefined;
  keysMax?: number | undefined;
}

/** The port's calls, at once and at a given time in ms. */
export interface ClaimTable {
  claim(request: ClaimRequest, now: number): Uint8Array;
  settle(request: ClaimRequest, now: number): void;
  release(request: ClaimRequest, now: number): void;
  /** How often the older half was forgotten: what came before the last turn but one is in it no more. */
  turns(): number;
  /** Forgets the older half now. */
  turn(now: number): void;
}

/**
 * Keys lie in two generations: written to the newer, sought in both. The older one is dropped whole when
 * the newer is as old as a done claim lives, or full; nothing is ever deleted key by key.
 */
export function createClaimTable(options: TableOptions = {}): ClaimTable {
  const { leaseMs = claimLeaseMs, doneMs = claimDoneMs } = options;
  if (leaseMs > doneMs) throw new Error("a lease may not outlast the time a claim stays done");
  const most = options.keysMax ?? keysMax;
  let newer = createGeneration();
  let older: Generation | undefined;
  let since = Number.NEGATIVE_INFINITY;
  let turns = 0;

  function turn(now: number): void {
    older = now - since < 2 * doneMs ? newer : undefined;
    newer = createGeneration();
    since = now;
    turns += 1;
  }

  function prepare(request: ClaimRequest, now: number): KeyColumns {
    if (now - since >= doneMs || newer.count() + request.count > most) turn(now);
    newer.reserve(request.count);
    return { hashes: wordsOf(request.hashes), fingerprints: wordsOf(request.fingerprints) };
  }

  /** The place of key `at` in the newer generation; a live claim of the older one is brought along. */
  function bring(columns: KeyColumns, at: number, now: number): number {
    const place = newer.locate(columns, at);
    if (older === undefined || newer.isLive(place, now)) return place;
    const before = older.locate(columns, at);
    if (older.isLive(before, now)) newer.copy(place, columns, at, older, before);
    return place;
  }

  return {
    turn,
    turns: () => turns,
    claim(request, now) {
      const columns = prepare(request, now);
      const batch = wordsOf(request.batchId);
      const attempt = wordsOf(request.attempt);
      const found = new Uint8Array(request.count);
      for (let at = 0; at < request.count; at += 1) {
        const place = bring(columns, at, now);
        if (!newer.isLive(place, now)) {
          newer.take(place, columns, at, attempt, now + leaseMs);
          continue;
        }
        const isDone = newer.isDone(place);
        if (isDone) newer.prolong(place, now + doneMs);
        found[at] = foundAs(isDone, newer.isOwner(place, batch), newer.isSameContent(place, columns, at));
      }
      return found;
    },
    settle(request, now) {
      const columns = prepare(request, now);
      const batch = wordsOf(request.batchId);
      for (let at = 0; at < request.count; at += 1) {
        const place = bring(columns, at, now);
        if (newer.isLive(place, now) && newer.isDone(place)) newer.prolong(place, now + doneMs);
        else newer.finish(place, columns, at, batch, now + doneMs);
      }
    },
    release(request, now) {
      const columns = prepare(request, now);
      const attempt = wordsOf(request.attempt);
      for (let at = 0; at < request.count; at += 1) {
        for (const generation of older === undefined ? [newer] : [newer, older]) {
          const place = generation.locate(columns, at);
          if (!generation.isLive(place, now) || generation.isDone(place)) continue;
          if (generation.isOwner(place, attempt)) generation.free(place);
        }
      }
    },
  };
}
