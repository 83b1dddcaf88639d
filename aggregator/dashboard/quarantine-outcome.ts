// What became of a change, in the words of the page.
import type { ChangeKind } from "./quarantine-confirm.ts";

/** A retry's answer or a discard's, of which each has its own part. */
export interface ChangeAnswer extends Record<string, unknown> {
  ok: boolean;
  /** Of a retry both counts; of a discard one number. */
  records: number | { written: number; refused_again: number };
  error?: string | null;
}

/** One sentence. */
export function changeText(kind: ChangeKind, answer: ChangeAnswer): string {
  const { records } = answer;
  if (kind === "discard") return `${Number(answer["discarded"]) + Number(records)} discarded.`;
  const unread = typeof records === "number" ? 0 : records.refused_again;
  const parts = [
    `${answer["sent"]} sent`,
    `${answer["stored"]} stored`,
    ...told(answer["duplicate"], "were duplicates"),
    ...told(answer["quarantined"], "are quarantined anew"),
    ...told(answer["refused_again"], "refused again"),
    ...told(unread, unread === 1 ? "record cannot be read still" : "records cannot be read still"),
    ...told(answer["pending"], "on their way"),
    ...told(answer["needs_as_new"], "conflicts left as they are"),
    ...(answer.error ? [answer.error] : []),
  ];
  return `${parts.join(", ")}.`;
}

const told = (count: unknown, what: string): string[] => (count ? [`${count} ${what}`] : []);
