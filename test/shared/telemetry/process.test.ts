// A process's own numbers, as they appear in the exposition.
import { expect, it } from "vitest";
import { watchProcess } from "../../../shared/telemetry/process.ts";
import { createPrometheus } from "../../../shared/telemetry/prometheus.ts";

it("measures memory and processor time from the first moment", () => {
  const { meter, exposition } = createPrometheus({ onFault: "throw" });
  watchProcess(meter)();
  const memory = /^process_memory_usage_bytes (\d+)$/m.exec(exposition());
  expect(Number(memory?.[1])).toBeGreaterThan(1e6);
  expect(exposition()).toMatch(/^process_cpu_time_seconds_total\{cpu_mode="user"\} /m);
  expect(exposition()).toMatch(/^weir_process_loop_delay_seconds [0-9.e-]+$/m);
});
