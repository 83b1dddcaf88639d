// What a process says about itself: memory, processor time, and how late its event loop runs.
import type { Meter } from "../meter.ts";

const intervalMs = 1_000;

/** Measures every second until the answered function is called; never keeps a process alive. */
export function watchProcess(meter: Meter): () => void {
  let before = process.cpuUsage();
  let due = performance.now() + intervalMs;
  const measure = (): void => {
    const now = performance.now();
    meter.set("weir.process.loop.delay", Math.max(0, now - due) / 1000);
    due = now + intervalMs;
    meter.set("process.memory.usage", process.memoryUsage.rss());
    const used = process.cpuUsage();
    meter.count("process.cpu.time", (used.user - before.user) / 1e6, { "cpu.mode": "user" });
    meter.count("process.cpu.time", (used.system - before.system) / 1e6, { "cpu.mode": "system" });
    before = used;
  };
  const timer = setInterval(measure, intervalMs);
  timer.unref();
  measure();
  return () => clearInterval(timer);
}
