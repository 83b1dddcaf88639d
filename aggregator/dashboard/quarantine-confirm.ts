// Asks once more before something changes, and for the reason where one is needed.
import { find, write } from "./element.ts";

export type ChangeKind = "retry" | "discard";

/** What was confirmed. */
export interface Change {
  kind: ChangeKind;
  ids: string[];
  asNew: boolean;
  why: string;
}

export interface Confirm {
  /** Opens the question; at most 500 of the rows are taken, as many as one request may name. */
  ask(kind: ChangeKind, rows: readonly { id: string; reason: string }[]): void;
}

const rowsMax = 500;

/** `confirmed` runs after a yes; the dialog stays open until it ends, so that nothing is sent twice. */
export function createConfirm(confirmed: (change: Change) => Promise<void>): Confirm {
  const dialog = find<HTMLDialogElement>("confirm");
  const yes = find<HTMLButtonElement>("confirm-yes");
  const why = find<HTMLInputElement>("confirm-why");
  const asNew = find<HTMLInputElement>("confirm-new");
  let kind: ChangeKind = "retry";
  let ids: string[] = [];

  find("confirm-no").addEventListener("click", () => dialog.close());
  find<HTMLFormElement>("confirm-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    if (yes.disabled) return;
    yes.disabled = true;
    const name = yes.textContent ?? "";
    write(yes, "Working");
    try {
      await confirmed({ kind, ids, asNew: asNew.checked, why: why.value.trim() });
    } finally {
      write(yes, name);
      yes.disabled = false;
      dialog.close();
    }
  });

  return {
    ask(wanted, rows) {
      kind = wanted;
      ids = rows.slice(0, rowsMax).map((row) => row.id);
      if (ids.length === 0) return;
      const events = ids.length === 1 ? "this event" : `${ids.length} events`;
      const isRetry = kind === "retry";
      write(find("confirm-title"), `${isRetry ? "Retry" : "Discard"} ${events}?`);
      write(find("confirm-text"), isRetry ? retryText : discardText);
      write(yes, isRetry ? "Retry" : "Discard");
      find("confirm-why-pick").hidden = isRetry;
      why.required = !isRetry;
      why.value = "";
      find("confirm-new-pick").hidden = !isRetry || !rows.some(({ reason }) => copies.has(reason));
      asNew.checked = false;
      dialog.showModal();
    },
  };
}

/** What comes back only under an identity of its own. */
const copies: ReadonlySet<string> = new Set(["conflict", "batch_id_reused"]);
const retryText =
  "It is received anew, by the way every event comes. What is refused again stays here, and nothing is stored twice.";
const discardText = "It is not sent again. It stays counted, and is kept until its time here is over.";
