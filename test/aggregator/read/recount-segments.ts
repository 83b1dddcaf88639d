// Segments by country counted from rows, as plainly as can be.
import { type Asked, chosen, people, type Row } from "./recount.ts";

/** Events and people by country, the largest first; nobody's events count, but as no person. */
export function countSegments(rows: readonly Row[], asked: Asked): unknown[] {
  const isAsked = ({ at, user }: Row): boolean =>
    at >= asked.from && at < asked.to && (asked.users !== "identified" || user !== null);
  const found = new Map<string | null, { events: number; active_users: number }>();
  for (const { country } of chosen(rows, asked).filter(isAsked)) {
    const segment = found.get(country) ?? { events: 0, active_users: 0 };
    found.set(country, { ...segment, events: segment.events + 1 });
  }
  for (const own of people(rows, asked)) {
    for (const country of new Set(own.filter(isAsked).map((row) => row.country))) {
      found.get(country)!.active_users += 1;
    }
  }
  const nameOf = (value: string | null): string => value ?? "\uffff";
  return [...found]
    .map(([value, segment]) => ({ value, ...segment, revenue_usd: 0 }))
    .toSorted((a, b) => b.events - a.events || (nameOf(a.value) < nameOf(b.value) ? -1 : 1));
}
