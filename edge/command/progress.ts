// The progress bar of a long command: on a terminal only.
import { SingleBar } from "cli-progress";

export interface Progress {
  /** `position` of the total given at the start, and how many events that was. */
  update(position: number, events: number): void;
  stop(): void;
}

/** Draws on stderr, so that stdout holds the result alone; does nothing where stderr is no terminal. */
export function createProgress(total: number, isShown: boolean): Progress {
  if (!isShown) return { update: () => {}, stop: () => {} };
  const bar = new SingleBar({
    format: "{bar} {percentage}% | {events} events | {rate}/s | {eta_formatted} left",
    hideCursor: true,
    clearOnComplete: true,
    stream: process.stderr,
  });
  const startedAt = Date.now();
  bar.start(total, 0, { events: 0, rate: 0 });
  return {
    update(position, events) {
      const seconds = Math.max((Date.now() - startedAt) / 1000, 0.001);
      bar.update(position, { events, rate: Math.round(events / seconds) });
    },
    stop: () => bar.stop(),
  };
}
