// Time and randomness as one port, so that a test or a simulation can hold both still.

/** Wall time in milliseconds since the epoch, random bytes, and a wait. */
export interface Clock {
  now(): number;
  random(bytes: number): Uint8Array;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The real clock of whichever runtime this is. */
export const systemClock: Clock = {
  now: () => Date.now(),
  random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const timer = setTimeout(done, ms);
      signal?.addEventListener("abort", done, { once: true });
      function done(): void {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      }
    }),
};
