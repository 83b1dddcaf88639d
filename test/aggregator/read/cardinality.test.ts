// What event types weigh and hold, held to a plain recount on random payloads; and how a large type is sampled.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { modelTables } from "../../../aggregator/model/models.ts";
import { answer } from "../../../aggregator/read/answer.ts";
import { cardinality } from "../../../aggregator/read/cardinality.ts";
import {
  type Bounds,
  chooseEvents,
  sampled,
  wholePart,
} from "../../../aggregator/read/cardinality-sample.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { foldAll } from "../../support/fold-all.ts";
import { describeWith, serviceUrl } from "../../support/services.ts";
import { noon, recordOf } from "../records.ts";
import { closeScene, type Hand, openHand, openScene } from "../scene.ts";

const isLong = process.env["WEIR_TEST_LONG"] === "1";
const dayMs = 86_400_000;
const begin = Math.floor(noon / dayMs) * dayMs - dayMs;

const leaf = fc.constantFrom<unknown[]>(null, true, 1, 1.5, "1", "", "long ".repeat(50), [], [1, "a"], {});
const name = fc.constantFrom("a", "b", "a.b", "ü", "");
const payload = fc.dictionary(
  name,
  fc.oneof(leaf, fc.dictionary(name, fc.oneof(leaf, fc.dictionary(name, leaf)))),
);
const happened = fc.record({
  at: fc.nat(2 * dayMs).map((ms) => begin + ms),
  type: fc.constantFrom("view", "buy", "help"),
  user: fc.constantFrom(null, "ann", "bob"),
  anonymous: fc.constantFrom(null, "ann", "d-1"),
  project: fc.constantFrom("p", "p", "q"),
  payload,
});
const asked = fc.record({
  project: fc.constantFrom(undefined, "p"),
  type: fc.constantFrom(undefined, "view"),
  // Whole days are counted by the models, others by the events.
  from: fc.constantFrom(begin, begin, begin + dayMs / 2),
});

interface Kept {
  type: string;
  project: string;
  at: number;
  person: string | null;
  text: string;
}

type Facts = { present: number; values: Set<string>; kinds: Set<string> };

const kindOf = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "array" : typeof value;

function note(found: Map<string, Facts>, before: string, held: object): void {
  for (const [key, value] of Object.entries(held)) {
    const property = before + key.replaceAll(".", "\\.");
    const facts = found.get(property) ?? { present: 0, values: new Set(), kinds: new Set() };
    found.set(property, facts);
    facts.present += 1;
    facts.kinds.add(kindOf(value));
    if (kindOf(value) === "object") note(found, `${property}.`, value as object);
    else facts.values.add(JSON.stringify(value));
  }
}

const byText = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other));

function recount(rows: readonly Kept[]): { types: object[]; properties: object[] } {
  const groups = [...Map.groupBy(rows, ({ type }) => type)].toSorted(
    ([a, own], [b, other]) => other.length - own.length || byText(a, b),
  );
  const types = groups.map(([type, own]) => {
    const sizes = own.map(({ text }) => Buffer.byteLength(text)).toSorted((a, b) => a - b);
    const part = (share: number): number => sizes[Math.ceil(sizes.length * share) - 1]!;
    const people = own.filter(({ person }) => person !== null).map((row) => `${row.project}/${row.person}`);
    return {
      ...{ type, events: own.length, sampled: own.length, users: new Set(people).size },
      bytes: sizes.reduce((sum, size) => sum + size, 0),
      ...{ bytes_p50: part(0.5), bytes_p95: part(0.95), bytes_max: sizes.at(-1)! },
      stored_share: expect.any(Number),
    };
  });
  const properties = groups.flatMap(([type, own]) => {
    const found = new Map<string, Facts>();
    for (const { text } of own) note(found, "", JSON.parse(text));
    return [...found]
      .toSorted(([a, one], [b, other]) => other.present - one.present || byText(a, b))
      .map(([property, { present, values, kinds }]) => ({
        ...{ type, events: own.length, sampled: own.length, property, present },
        ...{ kinds: [...kinds].sort().join(", "), properties: found.size },
        ...{ values: values.size, values_more: false },
      }));
  });
  return { types, properties };
}

let made = 0;

function suite(open: () => Promise<Store>, numRuns: number): void {
  let store: Store;
  let hand: Hand;
  beforeAll(async () => {
    store = await open();
    hand = await openHand(store);
  }, 180_000);
  afterAll(async () => {
    await hand?.close();
    if (store !== undefined) await closeScene(store);
  });

  const empty = () => store.sql.unsafe(`truncate ${["events", ...modelTables].join(", ")}`);
  async function ask(query: object) {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const listed = Object.fromEntries(given.map(([name, value]) => [name, [String(value)]]));
    const { data, meta } = await answer(store.sql, cardinality, listed);
    for (const row of data) cardinality.row.parse(row);
    return { data, meta };
  }

  it("is what a recount says, type by type and property by property", async () => {
    const questions = fc.array(asked, { minLength: 3, maxLength: 3 });
    const stream = fc.array(happened, { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(stream, questions, async (events, questions) => {
        await empty();
        for (const [project, own] of Map.groupBy(events, (event) => event.project)) {
          const sketches = own.map(({ at, type, user, anonymous, payload }) => {
            made += 1;
            const fields = { type, userId: user, anonymousId: anonymous, payload: JSON.stringify(payload) };
            return { name: `held-${made}`, at, fields };
          });
          await hand.write(0, recordOf(sketches, { project }));
        }
        await foldAll(store);
        const kept = await store.sql<Kept[]>`
          select type, project_id as project, (extract(epoch from event_time) * 1000)::float8 as at,
            coalesce(user_id, anonymous_id) as person, payload::text as text
          from events`;
        for (const one of questions) {
          const query = { ...one, to: begin + 3 * dayMs };
          const { types, properties } = recount(
            kept.filter(
              ({ project, type, at }) =>
                at >= one.from &&
                (one.project === undefined || one.project === project) &&
                (one.type === undefined || one.type === type),
            ),
          );
          const whole = await ask(query);
          expect(whole.data).toEqual(types);
          const shares = whole.data.reduce((sum, row) => sum + Number(row["stored_share"]), 0);
          expect(shares).toBeCloseTo(types.length === 0 ? 0 : 1, 9);
          expect((await ask({ ...query, by: "property" })).data).toEqual(properties);
        }
      }),
      { numRuns },
    );
  }, 900_000);

  it("tells the most frequent properties, and how many there are", async () => {
    await empty();
    const wide = Object.fromEntries(Array.from({ length: 230 }, (_, at) => [`p${at}`, at]));
    const payloads = [wide, { p229: "often" }];
    const sketches = payloads.map((payload, at) => ({
      ...{ name: `wide-${at}`, at: begin },
      fields: { type: "wide", payload: JSON.stringify(payload) },
    }));
    await hand.write(0, recordOf(sketches));
    await foldAll(store);
    const { data, meta } = await ask({ from: begin, to: begin + dayMs, by: "property" });
    expect(data).toHaveLength(200);
    expect(data[0]).toMatchObject({
      property: "p229",
      present: 2,
      values: 2,
      kinds: "number, string",
      properties: 230,
    });
    expect(meta).toMatchObject({ sampled: 2, sampled_of: 2 });
  });

  /** What is chosen of a span, and the ids of the events that are looked at. */
  const look = (span: { from: number; to: number }, bounds: Bounds) =>
    store.sql.begin(async (tx) => {
      const [asked, range] = [
        { tz: "UTC", limit: 10 },
        { ...span, asOf: begin, stored: undefined },
      ];
      const sample = await chooseEvents(tx, asked, range, bounds);
      const rows = await tx`
        select type, count(*)::int as looked, array_agg(id::text order by id) as ids
        from (${sampled(tx, asked, range, sample, tx`id`)}) as looked
        group by type
        order by type`;
      return { types: sample.types, rows };
    });

  it("looks at a part of a frequent type, and at all of a rare one", async () => {
    await empty();
    const sketches = Array.from({ length: 1_000 }, (_, at) => ({
      ...{ name: `sampled-${at}`, at: begin + at },
      fields: { type: at < 10 ? "rare" : "often" },
    }));
    await hand.write(0, recordOf(sketches));
    await foldAll(store);
    const looked = () => look({ from: begin, to: begin + dayMs }, { readMax: 10_000, lookedMax: 210 });
    const { types, rows } = await looked();
    expect(types).toMatchObject([
      { type: "often", events: 990, part: Math.ceil((wholePart * 200) / 990) },
      { type: "rare", events: 10, part: wholePart, scale: 1 },
    ]);
    expect(rows[1]).toMatchObject({ type: "rare", looked: 10 });
    // Which ones is decided by their ids: about 200, and the same ones each time.
    expect(rows[0]!["looked"]).toBeGreaterThan(140);
    expect(rows[0]!["looked"]).toBeLessThan(260);
    expect((await looked()).rows).toEqual(rows);
  });

  it("reads some quarter hours of every day, and all of the few that a rare type has", async () => {
    await empty();
    const [days, quarterMs] = [10, 15 * 60_000];
    const sketches = Array.from({ length: days * 96 * 4 }, (_, at) => ({
      ...{ name: `spread-${at}`, at: begin + Math.floor(at / 4) * quarterMs + (at % 4) },
      fields: { type: Math.floor(at / 4) === 500 ? "rare" : "often" },
    }));
    for (let at = 0; at < sketches.length; at += 1_000)
      await hand.write(0, recordOf(sketches.slice(at, at + 1_000)));
    await foldAll(store);
    const span = { from: begin, to: begin + days * dayMs };
    const { types, rows } = await look(span, { readMax: 1_000, lookedMax: 10_000 });
    const [often, rare] = types;
    expect(rows[1]).toMatchObject({ type: "rare", looked: 4 });
    expect(rare).toMatchObject({ events: 4, scale: 1 });
    const ids = rows[0]!["ids"] as string[];
    expect(ids.length).toBeGreaterThan(250);
    expect(ids.length).toBeLessThan(1_000);
    // What was looked at stands for all of them.
    expect(ids.length * often!.scale).toBeCloseTo(often!.events, 6);
    const dayOf = (id: string): number =>
      Math.floor((Number.parseInt(id.replace("-", "").slice(0, 12), 16) - begin) / dayMs);
    expect(new Set(ids.map(dayOf)).size).toBe(days);
  });
}

const folder = mkdtempSync(join(tmpdir(), "weir-cardinality-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
describe("cardinality", () => suite(() => openScene(`embedded:${folder}/postgres`), isLong ? 200 : 20));
describeWith(["timescale"], "cardinality on TimescaleDB", () =>
  suite(() => openScene(serviceUrl("timescale")), 3),
);
