// One generation of a claim table: an open-addressed hash table in typed arrays, which only ever grows.
// A JavaScript map of a million claims costs four times the memory and every garbage collection a walk.

// Of each slot ten words: four of the key, four of the owner (a batch id, or an attempt in the first two),
// two of the fingerprint. Beside them, when it ends: above zero done, below zero pending, zero free.
const slotWords = 10;
const firstSlots = 4_096;

/** The columns of a request as 32-bit words. */
export interface KeyColumns {
  hashes: Uint32Array;
  fingerprints: Uint32Array;
}

/** Times are epoch ms. A place is what `locate` answered, and holds until the next `reserve`. */
export interface Generation {
  /** Slots in use, lapsed ones included. */
  count(): number;
  /** Makes room for `more` keys. */
  reserve(more: number): void;
  /** Where key `at` lies, or where it would. */
  locate(columns: KeyColumns, at: number): number;
  isLive(place: number, now: number): boolean;
  isDone(place: number): boolean;
  isOwner(place: number, owner: Uint32Array): boolean;
  isSameContent(place: number, columns: KeyColumns, at: number): boolean;
  take(place: number, columns: KeyColumns, at: number, attempt: Uint32Array, until: number): void;
  finish(place: number, columns: KeyColumns, at: number, batch: Uint32Array, until: number): void;
  prolong(place: number, until: number): void;
  free(place: number): void;
  copy(place: number, columns: KeyColumns, at: number, from: Generation, fromPlace: number): void;
  /** A place's words and its end, for a copy. */
  read(place: number): { words: Uint32Array; end: number };
}

/** Bytes as words in this machine's order; a copy, since views need not lie at a multiple of four. */
export const wordsOf = (bytes: Uint8Array): Uint32Array => new Uint32Array(new Uint8Array(bytes).buffer);

export function createGeneration(): Generation {
  let slots = firstSlots;
  let words = new Uint32Array(slots * slotWords);
  let ends = new Float64Array(slots);
  let count = 0;

  // The hash is a digest's, so its first word spreads the keys; linear probing keeps them close.
  function find(key: Uint32Array, from: number): number {
    const mask = slots - 1;
    for (let place = key[from]! & mask; ; place = (place + 1) & mask) {
      if (ends[place] === 0) return place;
      const at = place * slotWords;
      if (
        words[at] === key[from] &&
        words[at + 1] === key[from + 1] &&
        words[at + 2] === key[from + 2] &&
        words[at + 3] === key[from + 3]
      ) {
        return place;
      }
    }
  }

  function write(place: number, columns: KeyColumns, at: number, owner: Uint32Array, end: number): void {
    const to = place * slotWords;
    if (ends[place] === 0) count += 1;
    ends[place] = end;
    for (let word = 0; word < 4; word += 1) words[to + word] = columns.hashes[at * 4 + word]!;
    for (let word = 0; word < 4; word += 1) words[to + 4 + word] = owner[word] ?? 0;
    words[to + 8] = columns.fingerprints[at * 2]!;
    words[to + 9] = columns.fingerprints[at * 2 + 1]!;
  }

  function grow(): void {
    const [oldWords, oldEnds, oldSlots] = [words, ends, slots];
    slots *= 2;
    words = new Uint32Array(slots * slotWords);
    ends = new Float64Array(slots);
    for (let place = 0; place < oldSlots; place += 1) {
      if (oldEnds[place] === 0) continue;
      const from = place * slotWords;
      const to = find(oldWords, from);
      for (let word = 0; word < slotWords; word += 1) words[to * slotWords + word] = oldWords[from + word]!;
      ends[to] = oldEnds[place]!;
    }
  }

  return {
    count: () => count,
    reserve(more) {
      while (count + more > slots * 0.75) grow();
    },
    locate: (columns, at) => find(columns.hashes, at * 4),
    isLive: (place, now) => Math.abs(ends[place]!) > now,
    isDone: (place) => ends[place]! > 0,
    isOwner(place, owner) {
      const at = place * slotWords + 4;
      return owner.every((word, index) => words[at + index] === word);
    },
    isSameContent(place, columns, at) {
      const own = place * slotWords + 8;
      const { fingerprints } = columns;
      return words[own] === fingerprints[at * 2] && words[own + 1] === fingerprints[at * 2 + 1];
    },
    take: (place, columns, at, attempt, until) => write(place, columns, at, attempt, -until),
    finish: (place, columns, at, batch, until) => write(place, columns, at, batch, until),
    prolong(place, until) {
      ends[place] = until;
    },
    // The slot stays taken, so that keys probed past it are still found.
    free(place) {
      ends[place] = -1;
    },
    read: (place) => ({
      words: words.subarray(place * slotWords, (place + 1) * slotWords),
      end: ends[place]!,
    }),
    copy(place, columns, at, from, fromPlace) {
      const found = from.read(fromPlace);
      write(place, columns, at, found.words.subarray(4, 8), found.end);
      words.set(found.words, place * slotWords);
    },
  };
}
