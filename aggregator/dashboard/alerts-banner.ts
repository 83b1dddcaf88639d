// The overview's line about alerts: there while a rule fires, and a way to the page that tells more.
import { ask, signedIn } from "./ask.ts";
import { find, write } from "./element.ts";

const restMs = 5_000;
/** Names that fit into a line. */
const namesMax = 3;

/** Shows which rules fire. They are of all projects at once: whoever may see one alone sees nothing of them. */
export function createAlertsLine(): () => Promise<void> {
  let shownAt = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - shownAt < restMs || (signedIn()?.project ?? null) !== null) return;
    shownAt = performance.now();
    const { data } = await ask("alerts", { limit: "1000" });
    const names = data.filter((row) => row["state"] === "firing").map((row) => String(row["rule"]));
    const shown = names.slice(0, namesMax).join(", ");
    const more = names.length > namesMax ? ` and ${names.length - namesMax} more` : "";
    const many = names.length === 1 ? "An alert fires" : `${names.length} alerts fire`;
    write(find("alerts-link"), `${many}: ${shown}${more}`);
    find("alerts-banner").hidden = names.length === 0;
  };
}
