// What doctor says of the log: how long ids are known, against how long copies may come.
import { describe, expect, it } from "vitest";
import { examineLog } from "../../../collector/command/doctor.ts";
import { ledgerDays } from "../../../shared/limits.ts";
import type { Log } from "../../../shared/log/log.ts";
import { memoryLog } from "../../../shared/log/memory.ts";

const dayMs = 86_400_000;

async function logKeeping(retentionMs: number | undefined): Promise<Log> {
  const log = memoryLog(new Map(), { topic: "weir.events" });
  await log.create();
  return { ...log, retentionMs: async () => retentionMs };
}

describe("doctor", () => {
  it.each([
    [
      "ok",
      7 * dayMs,
      ledgerDays,
      "14; the log keeps records for 7 days, and batches may be held back for 7 days",
      "",
    ],
    ["ok", 7 * dayMs, 30, "30; the log keeps records for 7 days", ""],
    ["bad", 7 * dayMs, 13, "13; the log keeps records for 7 days", "set WEIR_LEDGER_DAYS to 14 or more"],
    [
      "bad",
      30.5 * dayMs,
      ledgerDays,
      "14; the log keeps records for 30.5 days",
      "set WEIR_LEDGER_DAYS to 38 or more",
    ],
    ["weak", Number.POSITIVE_INFINITY, ledgerDays, "14; the log keeps records for ever", "kept apart"],
    ["weak", undefined, ledgerDays, "14; batches may be held back for 7 days", "its retention is hidden"],
  ])(
    "finds it %s where a log keeps records for %d ms and ids are known for %d days",
    async (state, ms, days, found, advice) => {
      const log = await logKeeping(ms);
      const findings = await examineLog(async () => log, days);
      expect(findings.find(({ name }) => name === "ledger days")).toEqual({
        name: "ledger days",
        state,
        found: expect.stringContaining(found),
        advice: expect.stringContaining(advice),
      });
    },
  );
});
