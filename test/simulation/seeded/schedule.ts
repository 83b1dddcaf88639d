// Virtual time and the one source of chance: everything that waits waits here, so a seed repeats its run.
import { drainMicrotasks } from "bun:jsc";

export interface Schedule {
  /** Virtual ms since the run began. */
  now(): number;
  /** From 0 up to, not including, 1. */
  random(): number;
  chance(share: number): boolean;
  between(least: number, most: number): number;
  pick<T>(choices: readonly T[]): T;
  /** Runs `act` so many ms from now. */
  after(ms: number, act: () => void): void;
  /** Runs what is due, one after another, until `isOver` or `untilMs`. Answers whether it was over. */
  run(isOver: () => boolean, untilMs: number): boolean;
}

interface Due {
  at: number;
  act: () => void;
}

export function createSchedule(seed: number): Schedule {
  const heap: Due[] = [];
  let now = 0;
  let state = (seed * 2_654_435_761) >>> 0;

  // Mulberry32, https://gist.github.com/tommyettinger/46a874533244883189143505d203312c
  function random(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  function push(due: Due): void {
    let place = heap.push(due) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (heap[parent]!.at <= due.at) break;
      heap[place] = heap[parent]!;
      place = parent;
    }
    heap[place] = due;
  }

  function pop(): Due | undefined {
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child += 1;
      if (heap[child]!.at >= last.at) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = last;
    return first;
  }

  return {
    now: () => now,
    random,
    chance: (share) => random() < share,
    between: (least, most) => least + random() * (most - least),
    pick: (choices) => choices[Math.floor(random() * choices.length)]!,
    // A little chance in every wait, so that what is due together comes in any order.
    after: (ms, act) => push({ at: now + Math.max(0, ms) + random() / 1_000, act }),
    run(isOver, untilMs) {
      drainMicrotasks();
      while (!isOver()) {
        if (heap[0] === undefined || heap[0].at > untilMs) return false;
        const due = pop()!;
        now = due.at;
        due.act();
        drainMicrotasks();
      }
      return true;
    },
  };
}
