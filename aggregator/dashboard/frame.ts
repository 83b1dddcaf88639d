// What all pages have around their content: how the connection is, what went wrong, and the token.
import { Refusal, signedIn, signIn } from "./ask.ts";
import { showAsker } from "./asker.ts";
import { find, write } from "./element.ts";

// Where the pages are wider than the screen, the one that is open is in sight.
document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

export function setStatus(state: "live" | "failed" | "locked", text: string): void {
  find("status").dataset["state"] = state;
  write(find("status-text"), text);
  if (state === "live") find("notice").hidden = true;
  document.body.classList.toggle("stale", state !== "live");
}

/** Tells what the page as a whole cannot go on for; a missing token is asked for. */
export function showFailure(error: unknown): void {
  if (error instanceof Refusal && error.status === 401) {
    askToken();
    return;
  }
  const refusal = asRefusal(error);
  if (refusal.status === 403) setStatus("locked", "Not allowed");
  else setStatus("failed", "Not connected");
  const notice = find("notice");
  notice.hidden = false;
  write(notice, `${refusal.title}. ${refusal.message}`);
}

export const asRefusal = (error: unknown): Refusal =>
  error instanceof Refusal ? error : new Refusal(0, "The page failed", String(error));

const refusedText = "That token was not accepted.";

export function askToken(): void {
  setStatus("locked", "Token needed");
  const dialog = find<HTMLDialogElement>("token");
  if (dialog.open) return;
  find("token-fault").hidden = signedIn() === undefined;
  dialog.showModal();
}

/** Puts the token's form to work; `given` goes on with what was refused. */
export function takeToken(given: () => void): void {
  const input = find<HTMLInputElement>("token-text");
  const fault = find("token-fault");
  find<HTMLFormElement>("token-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    fault.hidden = true;
    try {
      await signIn(input.value.trim());
    } catch (error) {
      const { status, title, message } = asRefusal(error);
      write(fault, status === 401 ? refusedText : `${title}. ${message}`);
      fault.hidden = false;
      return;
    }
    input.value = "";
    showAsker();
    find<HTMLDialogElement>("token").close();
    given();
  });
  find("token").addEventListener("cancel", (event) => event.preventDefault());
}
