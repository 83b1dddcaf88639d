// The overview's line about alerts: there while a rule fires, and a way to the page that tells more.
import { ask, Refusal } from "./ask.ts";
import { find, write } from "./element.ts";

const pollMs = 10_000;
/** Names that fit into a line. */
const namesMax = 3;

/** Looks now and from time to time; whoever may not ask of all projects sees nothing of it. */
export function watchAlerts(): void {
  const look = async (): Promise<void> => {
    if (document.hidden) return;
    const { data } = await ask("alerts", { limit: "1000" });
    const names = data.filter((row) => row["state"] === "firing").map((row) => String(row["rule"]));
    const shown = names.slice(0, namesMax).join(", ");
    const more = names.length > namesMax ? ` and ${names.length - namesMax} more` : "";
    write(
      find("alerts-link"),
      `${names.length === 1 ? "An alert fires" : `${names.length} alerts fire`}: ${shown}${more}`,
    );
    find("alerts-banner").hidden = names.length === 0;
  };
  // Whatever else ails the aggregator, the ledger's own question tells.
  const run = (): void =>
    void look().catch((error) => {
      if (error instanceof Refusal && error.status === 403) clearInterval(timer);
    });
  const timer = setInterval(run, pollMs);
  run();
}
