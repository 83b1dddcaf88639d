// How long a person is followed from one event on, as a parameter: so many minutes, hours or days, or a session.
import { z } from "zod";

const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 };
const followMsMax = 366 * unitMs.d;

/** Milliseconds, or `session`; 30 days where nothing is said. */
export const followed = z
  .string()
  .transform((text, context): number | "session" => {
    const [, count, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
    const ms = Number(count) * unitMs[unit as keyof typeof unitMs];
    if (text === "session") return "session";
    if (ms > 0 && ms <= followMsMax) return ms;
    context.addIssue({ code: "custom", message: "must be session, or minutes, hours or days such as 30d" });
    return z.NEVER;
  })
  .prefault("30d");
