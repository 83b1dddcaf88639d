// Keeps a page up to date: it is loaded now, every few seconds while somebody looks, and whenever it is asked to be.
import { find } from "./element.ts";
import { showFailure, takeToken } from "./frame.ts";

const pollMs = 5_000;

/**
 * Begins with `load`, which ends early where its signal says that a newer one has taken its place. Answers what
 * loads at once.
 */
export function keepRenewed(load: (signal: AbortSignal) => Promise<void>): () => void {
  let loading: AbortController | undefined;
  /** Loads not answered yet: a slow store is asked again only once it has answered. */
  let underWay = 0;

  function reload(): void {
    loading?.abort();
    loading = new AbortController();
    underWay += 1;
    void load(loading.signal)
      .catch((error) => {
        // A newer load has taken this one's place.
        if (!(error instanceof DOMException && error.name === "AbortError")) showFailure(error);
      })
      .finally(() => {
        underWay -= 1;
      });
  }

  takeToken(reload);
  setInterval(() => {
    if (underWay === 0 && !document.hidden && !find<HTMLDialogElement>("token").open) reload();
  }, pollMs);
  reload();
  return reload;
}
