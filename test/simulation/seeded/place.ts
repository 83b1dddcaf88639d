// A process of the simulated world: its clock, its hops to the others, and its end at any moment.
import type { Clock } from "../../../shared/clock.ts";
import type { Schedule } from "./schedule.ts";

export interface Place {
  clock: Clock;
  isAlive(): boolean;
  /** Ends as by kill -9: nothing that waits here goes on. What is on its way may still arrive elsewhere. */
  kill(): void;
  /** Stops for so long, as by SIGSTOP, and goes on as if nothing had been. */
  freeze(ms: number): void;
  /** Moves this process's wall clock. */
  jump(ms: number): void;
  /** Runs `act` here so many ms from now, unless the process is dead, and not while it is stopped. */
  after(ms: number, act: () => void): void;
  /** A request to elsewhere: both ways take their time, and a crash may come between any two steps. */
  hop<T>(work: () => T | Promise<T>, least?: number, most?: number): Promise<T>;
}

/** When every run begins, epoch ms. */
export const beginning: number = Date.UTC(2026, 10, 20, 12);

export function createPlace(schedule: Schedule): Place {
  let isAlive = true;
  let jumped = 0;
  let frozenUntil = 0;

  function after(ms: number, act: () => void): void {
    schedule.after(ms, () => {
      if (!isAlive) return;
      if (schedule.now() < frozenUntil) after(frozenUntil - schedule.now(), act);
      else act();
    });
  }

  const clock: Clock = {
    now: () => Math.floor(beginning + schedule.now() + jumped),
    random: (bytes) => Uint8Array.from({ length: bytes }, () => Math.floor(schedule.random() * 256)),
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve();
        after(ms, resolve);
        signal?.addEventListener("abort", () => resolve(), { once: true });
      }),
  };

  return {
    clock,
    isAlive: () => isAlive,
    kill() {
      isAlive = false;
    },
    freeze(ms) {
      frozenUntil = schedule.now() + ms;
    },
    jump(ms) {
      jumped += ms;
    },
    after,
    hop(work, least = 0.1, most = 3) {
      return new Promise((resolve, reject) => {
        schedule.after(schedule.between(least, most) / 2, () => {
          if (!isAlive && schedule.chance(0.5)) return;
          const back = (act: () => void): void => after(schedule.between(least, most) / 2, act);
          void Promise.resolve()
            .then(work)
            .then(
              (answer) => back(() => resolve(answer)),
              (error: unknown) => back(() => reject(error)),
            );
        });
      });
    },
  };
}
