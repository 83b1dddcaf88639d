// The proof on demand: every row counted, every record of the log accounted for.
import type { AnswerRow } from "../read/question.ts";
import { ask } from "./ask.ts";
import { find, write } from "./element.ts";
import { formatCount, formatMoment } from "./format.ts";

/** What the proof found, in one sentence. */
export function tellProof(row: AnswerRow): string {
  const count = (name: string): string => formatCount(Number(row[name]));
  if (row["ok"] === true) {
    const known = row["acknowledged"] === 0 ? "" : ` (${count("acknowledged")} entries acknowledged)`;
    return `${count("rows_present")} rows counted, ${count("lost")} records lost${known}, ${count("checks")} checks hold.`;
  }
  const troubles = [
    ...(row["lost"] === 0 ? [] : [`${count("lost")} records lost`]),
    ...(row["unaccounted"] === null ? [] : [`unaccounted for: ${row["unaccounted"]}`]),
    ...(row["unreadable"] === 0 ? [] : [`${count("unreadable")} records unreadable`]),
    ...(row["reused"] === 0 ? [] : [`${count("reused")} records under another batch's id`]),
    ...(row["too_old"] === 0 ? [] : [`${count("too_old")} records that came too late`]),
    ...(row["broken"] === null ? [] : [`broken: ${row["broken"]}`]),
  ];
  return `${count("rows_present")} rows counted; ${troubles.join(", ")}.`;
}

/** Puts the button to work; `zone` is the page's time zone then. */
export function offerProof(zone: () => string, failed: (error: unknown) => void): void {
  const button = find<HTMLButtonElement>("prove");
  const text = find("proof");
  button.addEventListener("click", async () => {
    button.disabled = true;
    text.dataset["state"] = "";
    write(text, "Counting every row");
    try {
      const { data, meta } = await ask("reconcile", {}, undefined, proofMs);
      text.dataset["state"] = data[0]?.["ok"] === true ? "ok" : "bad";
      write(text, `${tellProof(data[0]!)} As of ${formatMoment(meta.as_of, zone())}.`);
    } catch (error) {
      write(text, "The count did not end.");
      failed(error);
    } finally {
      button.disabled = false;
    }
  });
}

/** How long the page waits for a count of everything. */
const proofMs = 600_000;
