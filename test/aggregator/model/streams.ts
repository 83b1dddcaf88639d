// Random streams of people's events for the suites of the models: stored in pieces, folded, erased.
import { createHash } from "node:crypto";
import fc from "fast-check";
import type { Sql } from "postgres";
import { foldStep } from "../../../aggregator/model/fold-step.ts";
import type { Model } from "../../../aggregator/model/model.ts";
import type { Store } from "../../../aggregator/store/store.ts";

export interface Happened {
  /** Epoch ms. */
  at: number;
  type: string;
  user: string | null;
  anonymous: string | null;
}

/** Store some events, fold up to so many, or erase a person's events up to a moment. */
export type Step =
  | { kind: "store"; events: Happened[] }
  | { kind: "fold"; idsMax: number }
  | { kind: "erase"; person: string; until: number };

const quarterMs = 15 * 60_000;
export const dayMs = 86_400_000;
/** 30 October 2026, a midnight in UTC: the streams go over the end of a month. */
export const streamsFrom: number = Date.UTC(2026, 9, 30);
export const streamsTo: number = streamsFrom + 4 * dayMs;

// Quarters of an hour, a millisecond off or not: gaps of exactly half an hour and equal times are frequent.
const time = fc
  .tuple(
    fc.oneof(
      fc.integer({ min: 0, max: 4 * 96 - 1 }),
      // Around midnights.
      fc
        .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: -6, max: 6 }))
        .map(([day, at]) => day * 96 + at),
    ),
    fc.constantFrom(0, 0, 0, 1, -1),
  )
  .map(([quarter, off]) => streamsFrom + Math.max(0, quarter * quarterMs + off));

const ids = fc.constantFrom("a", "b", "c", "d");

const event: fc.Arbitrary<Happened> = fc.record({
  at: time,
  type: fc.constantFrom("view", "cart", "buy", "other"),
  user: fc.option(ids, { nil: null }),
  anonymous: fc.option(ids, { nil: null }),
});

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("store" as const),
        events: fc.array(event, { minLength: 1, maxLength: 40 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ kind: fc.constant("fold" as const), idsMax: fc.integer({ min: 1, max: 60 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("erase" as const), person: ids, until: time }) },
  ),
  { minLength: 1, maxLength: 12 },
);

export const personOf = (happened: Happened): string | null => happened.user ?? happened.anonymous;

/** Events of one person, as `users` has it, the earliest first. */
export function byPerson(events: readonly Happened[], users: "identified" | "all"): Map<string, Happened[]> {
  const people = new Map<string, Happened[]>();
  for (const one of [...events].sort((left, right) => left.at - right.at)) {
    const person = users === "identified" ? one.user : personOf(one);
    if (person !== null) people.set(person, [...(people.get(person) ?? []), one]);
  }
  return people;
}

/** A store, a session of a folder's own, and the model that is folded. */
export interface Played {
  store: Store;
  session: Sql;
  model: Model;
}

/** Empties the store, does the steps and folds what is left; answers the events that are there now. */
export async function play({ store, session, model }: Played, played: readonly Step[]): Promise<Happened[]> {
  await store.sql`truncate events, persons, fresh_events, stale_days, ${store.sql(model.name)}`;
  let kept: Happened[] = [];
  for (const step of played) {
    if (step.kind === "fold") await foldStep(session, [model], step.idsMax);
    if (step.kind === "store") {
      await add(store, step.events);
      kept.push(...step.events);
    }
    if (step.kind === "erase") {
      const goes = (one: Happened) => personOf(one) === step.person && one.at <= step.until;
      await remove(store, step.person, step.until);
      kept = kept.filter((one) => !goes(one));
    }
  }
  for (;;) {
    const folded = await foldStep(session, [model]);
    if (folded !== "busy" && folded.events + folded.days === 0) return kept;
  }
}

let made = 0;

export async function add(store: Store, events: readonly Happened[]): Promise<void> {
  const rows = events.map(({ at, type, user, anonymous }) => {
    made += 1;
    const hash = createHash("sha256").update(`event ${made}`).digest("hex");
    const hex = `${at.toString(16).padStart(12, "0")}7${hash.slice(0, 3)}8${hash.slice(3, 18)}`;
    const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    return { id, at: new Date(at).toISOString(), type, user, anonymous };
  });
  await store.sql`
    with given as (
      select *
      from jsonb_to_recordset(${store.sql.json(rows)})
        as r(id uuid, at timestamptz, type text, "user" text, anonymous text)
    ),
    stored as (
      insert into events (
        id, event_time, received_at, fingerprint, version, flags, identity, project_id, type, user_id,
        anonymous_id, payload, context, metadata
      )
      select id, at, at, 1, 1, 0, 'event_id', 'p', type, "user", anonymous, '{}', '{}', '{}' from given
    )
    insert into fresh_events (project_id, day, ids)
    select 'p', (at at time zone 'UTC')::date, array_agg(id) from given group by 2`;
}

async function remove(store: Store, person: string, until: number): Promise<void> {
  await store.sql`
    with gone as (
      delete from events
      where coalesce(user_id, anonymous_id) = ${person} and event_time <= ${new Date(until)}
      returning event_time
    )
    insert into stale_days (project_id, day)
    select distinct 'p', (event_time at time zone 'UTC')::date from gone
    on conflict do nothing`;
}
