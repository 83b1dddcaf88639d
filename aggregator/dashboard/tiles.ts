// The four figures of now: events and people today, the age of the newest stored event, the rate.
import type { AnswerMeta } from "../read/answer.ts";
import type { AnswerRow } from "../read/question.ts";
import { sum } from "./columns.ts";
import { find, write } from "./element.ts";
import { formatAge, formatCount, formatDay, formatRate } from "./format.ts";

/** The rate is taken over this long, so that it neither jumps nor lags. */
const rateMs = 10_000;

export interface Tiles {
  /** Rows of yesterday and today. */
  showDays(events: readonly AnswerRow[], people: readonly AnswerRow[], today: string): void;
  /** The newest ledger answer, as often as one comes; `now` is this page's clock, in ms. */
  showNow(stored: number, meta: AnswerMeta, zone: string, now: number): void;
}

export function createTiles(): Tiles {
  let samples: { at: number; stored: number }[] = [];
  return {
    showDays(events, people, today) {
      showDay("tile-events", events, "events", today);
      showDay("tile-users", people, "active_users", today);
    },
    showNow(stored, meta, zone, now) {
      const newest = meta["newest_stored_at"];
      // Both times are the store's, so a wrong clock here makes no wrong age.
      const age = typeof newest === "string" ? Date.parse(meta.as_of) - Date.parse(newest) : undefined;
      write(find("tile-age"), age === undefined ? "–" : formatAge(age));
      const { watermark } = meta;
      write(find("tile-age-under"), watermark === null ? " " : `newest of ${formatDay(watermark, zone)}`);
      if (samples.some((sample) => sample.stored > stored)) samples = [];
      samples.push({ at: now, stored });
      while (samples.length > 2 && samples[1]!.at <= now - rateMs) samples.shift();
      const first = samples[0]!;
      const seconds = (now - first.at) / 1000;
      write(find("tile-rate"), seconds === 0 ? "–" : formatRate((stored - first.stored) / seconds));
    },
  };
}

function showDay(id: string, rows: readonly AnswerRow[], value: string, today: string): void {
  const of = (isToday: boolean): number =>
    sum(rows.filter((row) => (row["bucket"] === today) === isToday).map((row) => Number(row[value])));
  write(find(id), formatCount(of(true)));
  write(find(`${id}-under`), `${formatCount(of(false))} yesterday`);
}
