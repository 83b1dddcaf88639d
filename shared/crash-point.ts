// Named places where a test may end the process as kill -9 would; in production none is ever armed.

export type CrashPoint =
  | "after_claim"
  | "after_publish"
  | "after_settle"
  | "spool_append"
  | "spool_drain"
  | "before_commit"
  | "after_commit"
  | "migration";

let armed: CrashPoint | undefined;
let left = 0;

/** Arms one point by `name` or `name:n`, which ends the process at the n-th time it is reached. */
export function armCrashPoint(text: string): void {
  const [name, times = "1"] = text.split(":");
  armed = name as CrashPoint;
  left = Number(times);
}

/** Ends the process here where this point is armed and it is the time; does nothing otherwise. */
export function reach(point: CrashPoint): void {
  if (armed !== point) return;
  left -= 1;
  if (left <= 0) process.kill(process.pid, "SIGKILL");
}
