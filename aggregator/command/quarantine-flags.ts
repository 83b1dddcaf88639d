// What the flags of the quarantine's commands select.
import { z } from "zod";
import { MisuseError } from "../../shared/command.ts";
import { listRules, rowId, type Selection } from "../quarantine/selection.ts";

export interface SelectionFlags {
  reason?: string;
  project?: string;
  status?: string;
  from?: string;
  to?: string;
}

const rules = z.object(listRules);

/** Throws a MisuseError where a flag's value is none. */
export function readSelection({ reason, project, status, from, to }: SelectionFlags): Selection {
  const parsed = rules.safeParse({ reason, project, status, from, to });
  if (parsed.success) return parsed.data;
  throw new MisuseError(
    parsed.error.issues.map(({ path, message }) => `--${path.join(".")}: ${message}`).join("; "),
  );
}

/** A row's number, or a MisuseError. */
export function idOf(text: string): string {
  if (rowId.safeParse(text).success) return text;
  throw new MisuseError(
    `${JSON.stringify(text.slice(0, 40))} is no number of a row; weir quarantine list shows them`,
  );
}
