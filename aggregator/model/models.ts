// Every read model, in the order in which they are folded.
import { activeBits } from "./active-bits.ts";
import type { Model } from "./model.ts";
import { personSessions } from "./sessions.ts";

export const models: readonly Model[] = [activeBits, personSessions];

/** Tables that are made of events alone: no replay copies them, and no checksum compares them. */
export const modelTables = [
  "fresh_events",
  "stale_days",
  "persons",
  "active_bits",
  "person_sessions",
] as const;
