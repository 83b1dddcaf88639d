// What the flags of the quarantine's commands select.
import { MisuseError } from "../../shared/command.ts";
import { readTime } from "../../shared/event/time.ts";
import type { QuarantineReason } from "../../shared/problem.ts";
import type { QuarantineStatus, Selection } from "../quarantine/selection.ts";

export interface SelectionFlags {
  reason?: QuarantineReason;
  project?: string;
  status?: QuarantineStatus;
  from?: string;
  to?: string;
}

const dayMs = 86_400_000;

/** Throws a MisuseError where a time is none. */
export function readSelection({ reason, project, status, from, to }: SelectionFlags): Selection {
  return { reason, project, status, from: timeOf("--from", from, 0), to: timeOf("--to", to, dayMs) };
}

/** A row's number, or a MisuseError. */
export function idOf(text: string): string {
  if (/^[1-9]\d{0,17}$/.test(text)) return text;
  throw new MisuseError(
    `${JSON.stringify(text.slice(0, 40))} is no number of a row; weir quarantine list shows them`,
  );
}

function timeOf(flag: string, text: string | undefined, dayAddsMs: number): number | undefined {
  if (text === undefined) return undefined;
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text);
  const time = readTime(isDay ? `${text}T00:00:00Z` : text);
  if (typeof time !== "number")
    throw new MisuseError(`${flag} is a date, or a time such as 2026-11-20T12:00:00Z`);
  return isDay ? time + dayAddsMs : time;
}
