// People of the last minutes, by the aggregator's clock.
import { ask } from "./ask.ts";
import { find, write } from "./element.ts";
import { formatCount } from "./format.ts";

const windowMs = 5 * 60_000;
/** Nobody notices a person sooner than this. */
const restMs = 4_000;

/**
 * Shows how many people had an event in the minutes before `asOf`. It is asked as one bucket, since the
 * people of two could not be added up: in one of these two zones midnight is far away.
 */
export function createLive(): (asOf: string, shared: Readonly<Record<string, string>>) => Promise<void> {
  let shownAt = 0;
  let shownFor = "";
  return async (asOf, shared) => {
    const asked = JSON.stringify(shared);
    if (performance.now() - shownAt < restMs && asked === shownFor) return;
    [shownAt, shownFor] = [performance.now(), asked];
    const to = Date.parse(asOf);
    const tz = new Date(to).getUTCHours() < 12 ? "Etc/GMT-12" : "UTC";
    const span = { from: String(to - windowMs), to: String(to), tz, interval: "day" };
    const { data } = await ask("active-users", { ...span, ...shared });
    write(find("tile-live"), formatCount(Number(data[0]?.["active_users"] ?? 0)));
  };
}
