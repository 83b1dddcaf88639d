// Whose a token is: the store is asked at most once in nine seconds a token, and seldom for what nobody knows.
import type { Clock } from "../../shared/clock.ts";
import { WeirError } from "../../shared/problem.ts";
import { bounded } from "../read/answer.ts";
import type { Store } from "../store/store.ts";
import { type FoundToken, findToken } from "../tokens.ts";
import { isTokenText, tokenHash } from "../tokens-text.ts";

/** How long an answer of the store holds. With the second a stream goes on after it, a token ends within ten. */
const keptMs = 9_000;
/** Tokens an aggregator remembers, some 300 bytes each. */
const keptMax = 1_000;
/** Lookups of tokens nobody is known to have: so many at once, and so many a second after. */
const guessesMax = 50;
const guessesPerSecond = 10;

/** Answers who has the token; undefined for one that is none. Rejects with a WeirError where that is not known. */
export type FindBearer = (text: string) => Promise<FoundToken | undefined>;

interface Kept {
  token: Promise<FoundToken | undefined>;
  /** Epoch ms. */
  readAt: number;
  /** It was a token once, so that looking it up again is no guess. */
  wasFound: boolean;
}

/** Nothing is kept yet. The hash is what is compared, so that no comparison's time tells anything of a token. */
export function createFindBearer({ sql }: Pick<Store, "sql">, clock: Clock): FindBearer {
  const kept = new Map<string, Kept>();
  let guesses = guessesMax;
  let filledAt = clock.now();

  function guess(now: number): void {
    guesses = Math.min(guessesMax, guesses + (Math.max(0, now - filledAt) / 1_000) * guessesPerSecond);
    filledAt = now;
    if (guesses < 1) throw new WeirError("overloaded", "Too many unknown tokens are tried; try again.");
    guesses -= 1;
  }

  function look(hash: string, now: number): Kept {
    const found = kept.get(hash);
    const age = found === undefined ? keptMs : now - found.readAt;
    if (found !== undefined && age >= 0 && age < keptMs) return found;
    if (found?.wasFound !== true) guess(now);
    const token = bounded(findToken(sql, hash));
    const made: Kept = { token, readAt: now, wasFound: found?.wasFound === true };
    // What was looked up last is forgotten last.
    kept.delete(hash);
    kept.set(hash, made);
    if (kept.size > keptMax) kept.delete(kept.keys().next().value!);
    token.then(
      (one) => {
        made.wasFound = one !== undefined;
        if (made.wasFound && found?.wasFound !== true) guesses += 1;
      },
      // A store that is away says nothing of the token: it is asked again by the next.
      () => {
        made.readAt = Number.NEGATIVE_INFINITY;
      },
    );
    return made;
  }

  return async (text) => {
    // A slip of the pen is told by its checksum, and the store is not asked.
    if (!isTokenText(text)) return undefined;
    const found = await look(tokenHash(text), clock.now()).token;
    if (found === undefined || (found.expiresAt !== null && found.expiresAt <= clock.now())) return undefined;
    return found;
  };
}
