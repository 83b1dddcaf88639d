// One quarantined event whole: why it was refused, its bytes as text, and what was done with it.
import { request } from "./ask.ts";
import { find, make, write } from "./element.ts";
import { formatCount, formatMoment } from "./format.ts";
import type { ChangeKind } from "./quarantine-confirm.ts";
import { type ListedRow, stateNames } from "./quarantine-rows.ts";

interface Shown extends ListedRow {
  station: string;
  weir_version: string;
  batch_id: string | null;
  index: number | null;
  bytes: number;
  original: string | null;
  original_base64: string;
  next_retry_at: string | null;
  history: { at: string; action: string; actor: string; outcome: string; why: string }[];
}

export interface Detail {
  /** Rejects with a Refusal where the event cannot be read. */
  open(id: string): Promise<void>;
  close(): void;
}

/** `act` runs for the buttons of the event that is shown. */
export function createDetail(zone: string, act: (kind: ChangeKind, row: ListedRow) => void): Detail {
  const dialog = find<HTMLDialogElement>("detail");
  let shown: Shown | undefined;
  find("detail-close").addEventListener("click", () => dialog.close());
  for (const kind of ["retry", "discard"] as const) {
    find(`detail-${kind}`).addEventListener("click", () => {
      if (shown !== undefined) act(kind, shown);
    });
  }
  return {
    async open(id) {
      const response = await request(`quarantine/${encodeURIComponent(id)}`);
      shown = ((await response.json()) as { data: Shown }).data;
      fill(shown, zone);
      if (!dialog.open) dialog.showModal();
    },
    close: () => dialog.close(),
  };
}

function fill(event: Shown, zone: string): void {
  const isRecord = event.batch_id === null;
  write(find("detail-title"), `${isRecord ? "Record" : "Event"} ${event.id}`);
  write(find("detail-what"), event.detail);
  const facts: [string, string][] = [
    ["Reason", event.reason],
    ["Where", event.pointer === "" ? `the ${isRecord ? "whole record" : "event itself"}` : event.pointer],
    ["State", stateNames[event.status] ?? event.status],
    ["Refused by", `${event.station}${event.weir_version === "" ? "" : `, Weir ${event.weir_version}`}`],
    ["Project", event.project === "" ? "not known" : event.project],
    [isRecord ? "Kept since" : "Received", formatMoment(event.received_at, zone)],
    ["Place", isRecord ? "as said above" : `${event.batch_id} / ${event.index}`],
    ["Size", `${formatCount(event.bytes)} bytes`],
  ];
  if (event.next_retry_at !== null) facts.push(["Next try", formatMoment(event.next_retry_at, zone)]);
  find("detail-facts").replaceChildren(
    ...facts.flatMap(([name, value]) => [make("dt", "", name), make("dd", "", value)]),
  );
  write(find("detail-original"), event.original === null ? event.original_base64 : spread(event.original));
  find("detail-history-title").hidden = event.history.length === 0;
  find("detail-history").replaceChildren(
    ...event.history.map(({ at, action, actor, outcome, why }) => {
      const time = make("time", "", formatMoment(at, zone));
      time.dateTime = at;
      const words = [action.replaceAll("_", " "), `by ${actor}`];
      if (outcome !== "" && outcome !== action) words.push(outcome.replaceAll("_", " "));
      if (why !== "") words.push(why);
      return make("li", "", [time, make("span", "", words.join(" · "))]);
    }),
  );
  for (const kind of ["retry", "discard"]) find(`detail-${kind}`).hidden = event.status !== "open";
}

// Numbers would be rounded by parsing, so only what reads the same afterwards is spread over lines.
function spread(text: string): string {
  try {
    const parsed: unknown = JSON.parse(text);
    return JSON.stringify(parsed) === text ? JSON.stringify(parsed, null, 2) : text;
  } catch {
    return text;
  }
}
