// Every read model, in the order in which they are folded.
import { activeBits } from "./active-bits.ts";
import { latenessCounts } from "./lateness.ts";
import { liveSeconds } from "./live-seconds.ts";
import type { Model } from "./model.ts";
import { personDays } from "./person-days.ts";
import { quarterCounts } from "./quarter-counts.ts";
import { personSessions } from "./sessions.ts";
import { stepTimes } from "./step-times.ts";

export const models: readonly Model[] = [
  quarterCounts,
  personDays,
  activeBits,
  personSessions,
  stepTimes,
  latenessCounts,
  liveSeconds,
];

/** Tables that are made of events alone: no replay copies them, and no checksum compares them. */
export const modelTables = [
  "fresh_events",
  "stale_days",
  "persons",
  "quarter_counts",
  "person_days",
  "active_bits",
  "person_sessions",
  "step_times",
  "live_seconds",
  "live_folds",
  "lateness_counts",
] as const;
