// The states seen so far, in few large arrays: millions of them fit where as many objects would not.

/** States by their place, in the order they were seen. */
export interface States {
  /** Enters a state reached from another one; answers its place, or −1 where it was seen before. */
  enter(state: Uint8Array, from: number): number;
  /** A copy of the state at a place. */
  at(place: number): Uint8Array;
  /** Where the state at a place was reached from; −1 for the first. */
  cameFrom(place: number): number;
  count(): number;
}

/** No states yet, all of `size` bytes. */
export function createStates(size: number): States {
  let room = 1 << 14;
  let bytes = new Uint8Array(room * size);
  let origins = new Int32Array(room);
  // Open addressing, half empty at least; a slot holds a place and one.
  let slots = new Int32Array(room * 2);
  let count = 0;

  // FNV-1a, 32 bits, and a mix at its end for the low bits.
  function hashOf(from: Uint8Array, start: number): number {
    let hash = 0x811c9dc5;
    for (let at = start; at < start + size; at += 1) hash = Math.imul(hash ^ from[at]!, 0x01000193);
    return (hash ^ (hash >>> 15)) >>> 0;
  }

  function isEqual(place: number, state: Uint8Array): boolean {
    const start = place * size;
    for (let at = 0; at < size; at += 1) if (bytes[start + at] !== state[at]) return false;
    return true;
  }

  function grow(): void {
    room *= 2;
    const more = new Uint8Array(room * size);
    more.set(bytes);
    bytes = more;
    const further = new Int32Array(room);
    further.set(origins);
    origins = further;
    slots = new Int32Array(room * 2);
    for (let place = 0; place < count; place += 1) {
      let slot = hashOf(bytes, place * size) % slots.length;
      while (slots[slot] !== 0) slot = (slot + 1) % slots.length;
      slots[slot] = place + 1;
    }
  }

  return {
    enter(state, from) {
      let slot = hashOf(state, 0) % slots.length;
      for (; slots[slot] !== 0; slot = (slot + 1) % slots.length) {
        if (isEqual(slots[slot]! - 1, state)) return -1;
      }
      if (count === room) {
        grow();
        return this.enter(state, from);
      }
      const place = count;
      count += 1;
      slots[slot] = place + 1;
      bytes.set(state, place * size);
      origins[place] = from;
      return place;
    },
    at: (place) => bytes.slice(place * size, (place + 1) * size),
    cameFrom: (place) => origins[place]!,
    count: () => count,
  };
}
