// Named places where a test may end or stop the process by a signal; in production none is ever armed.

export type CrashPoint =
  | "after_claim"
  | "after_publish"
  | "after_settle"
  | "spool_append"
  | "spool_drain"
  | "in_copy"
  | "before_commit"
  | "after_commit"
  | "migration"
  | "store_day"
  | "store_swap"
  | "retry_named"
  | "retry_sent"
  | "notices_sent";

let armed: CrashPoint | undefined;
let left = 0;
let signal: NodeJS.Signals = "SIGKILL";

/** Arms one point by `name[:n[:signal]]`: at the n-th time it is reached the process gets the signal. */
export function armCrashPoint(text: string): void {
  const [name, times = "1", sent = "SIGKILL"] = text.split(":");
  armed = name as CrashPoint;
  left = Number(times);
  signal = sent as NodeJS.Signals;
}

/** Ends or stops the process here where this point is armed and it is the time; does nothing otherwise. */
export function reach(point: CrashPoint): void {
  if (armed !== point) return;
  left -= 1;
  if (left === 0) process.kill(process.pid, signal);
}
