// Waiting that does not keep a program alive by itself, where the runtime lets a timer be so.

/** What a runtime may have beyond the web's own: the end of a program, and timers that do not hold it up. */
const runtime = globalThis as {
  process?: {
    on?(event: "beforeExit", listener: () => void): void;
    off?(event: "beforeExit", listener: () => void): void;
  };
  Deno?: { unrefTimer?(timer: unknown): void };
};

/** Runs `work` once after `ms`; the answer calls it off. */
export function later(ms: number, work: () => void): () => void {
  const timer: unknown = setTimeout(work, ms);
  if (typeof timer === "object") (timer as { unref?(): void }).unref?.();
  else runtime.Deno?.unrefTimer?.(timer);
  return () => clearTimeout(timer as number);
}

/** Runs `work` when the program has nothing more to do; the answer takes it back. */
export function atExit(work: () => void): () => void {
  runtime.process?.on?.("beforeExit", work);
  return () => runtime.process?.off?.("beforeExit", work);
}
