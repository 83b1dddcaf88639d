// Questions out of the models, against the same questions of the raw events, and against DuckDB and
// ClickHouse over the same events where they are installed. All sides must give the same figures.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { activeUsers } from "../../aggregator/read/active-users.ts";
import { answer, readParameters } from "../../aggregator/read/answer.ts";
import { funnel } from "../../aggregator/read/funnel.ts";
import type { AnswerRow, Question } from "../../aggregator/read/question.ts";
import { openRange, type RangeAsked } from "../../aggregator/read/range.ts";
import { retention } from "../../aggregator/read/retention.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { closeScene, openScene } from "../aggregator/scene.ts";
import { foldAll } from "../support/fold-all.ts";
import { makeEvents } from "./answers-data.ts";
import { activeSql, type Engine, funnelSql, openPeers, retentionSql } from "./answers-peers.ts";
import { type Bench, interleave, median, percentile } from "./bench.ts";

const dayMs = 86_400_000;
const from = Date.UTC(2026, 2, 2);
const days = 56;
const users = 20_000;
const rounds = 3;
/** Of the models alone, so that a percentile means something. */
const asksOfModels = 60;
const periods = 8;
const steps = ["page_view", "add_to_cart", "purchase"];
const windowDays = 7;

type Query = Record<string, string[]>;
const span: Query = {
  from: [new Date(from).toISOString()],
  to: [new Date(from + days * dayMs).toISOString()],
};
/** A span that ends off every bucket of the models, with the same events in it. */
const offSpan: Query = { ...span, to: [new Date(from + days * dayMs + 1).toISOString()] };

interface Asked {
  name: string;
  question: Question;
  query: Query;
  /** What keeps the models out and the figures as they are, where the span does not. */
  raw?: Query;
  /** Milliseconds that 95 of 100 answers out of the models keep to, where that is a goal. */
  p95Goal?: number;
  /** The figures of an answer, in a form all sides share. */
  figures(rows: readonly AnswerRow[]): number[];
  peer(engine: Engine): Promise<number[]>;
}

const sorted = (values: readonly number[]): number[] => [...values].sort((left, right) => left - right);

const questions: Asked[] = [
  {
    name: "daily active users, 56 days",
    question: activeUsers,
    query: {},
    figures: (rows) => sorted(rows.map((row) => Number(row["active_users"]))),
    peer: async (engine) => sorted((await engine.ask(activeSql(engine))).map((row) => Number(row["users"]))),
  },
  {
    name: "7-day retention, 56 cohorts",
    question: retention,
    query: { periods: [String(periods)] },
    p95Goal: 160,
    figures: (rows) =>
      sorted(rows.flatMap((row) => (row["retained"] as number[]).filter((count) => count > 0))),
    peer: async (engine) =>
      sorted((await engine.ask(retentionSql(engine, periods))).map((row) => Number(row["users"]))),
  },
  {
    name: "funnel of 3 steps in 7 days",
    question: funnel,
    query: { steps: [steps.join(",")], window: [`${windowDays}d`] },
    // There are no links; who asks for them is answered from the events.
    raw: { users: ["linked"] },
    figures: (rows) => rows.map((row) => Number(row["users"])),
    peer: async (engine) => {
      const [row] = await engine.ask(funnelSql(engine, steps, windowDays));
      return steps.map((_, at) => Number(row![`n${at}`]));
    },
  },
];

export default {
  name: "answers",
  needs: [],
  async run({ add, say, isLong }) {
    const folder = mkdtempSync(join(tmpdir(), "weir-bench-"));
    const store = await openScene(`embedded:${folder}/postgres`);
    try {
      const events = isLong ? 5_000_000 : 500_000;
      say(`${events} events of ${users} people are made`);
      await makeEvents(store, { events, users, days, from });
      const begun = performance.now();
      await foldAll(store, { msMax: 3_600_000 });
      add(
        `days read anew by all models, ${events} events`,
        ((performance.now() - begun) * 1000) / events,
        "µs/event",
      );
      await store.sql`analyze`;
      const { engines, missing } = await openPeers(store, folder);
      for (const name of missing) say(`NOT RUN: ${name} (npm install --no-save ${name})`);
      for (const asked of questions) await compare(store, engines, asked, add);
      for (const engine of engines) engine.close();
    } finally {
      await closeScene(store);
      rmSync(folder, { recursive: true, force: true });
    }
  },
} satisfies Bench;

async function compare(
  store: Store,
  engines: readonly Engine[],
  asked: Asked,
  add: Parameters<Bench["run"]>[0]["add"],
): Promise<void> {
  const expected = new Map<string, string>();
  const timed = async (name: string, work: () => Promise<number[]>): Promise<number> => {
    const begun = performance.now();
    const figures = JSON.stringify(await work());
    const spent = performance.now() - begun;
    expected.set(name, figures);
    if (new Set(expected.values()).size > 1)
      throw new Error(`${asked.name}: the sides differ: ${[...expected.keys()]}`);
    return spent;
  };
  const ask = async (query: Query): Promise<number[]> =>
    asked.figures((await answer(store.sql, asked.question, { ...asked.query, ...query })).data);
  // Of millions of events it may take longer than a question is let to.
  const askLong = (query: Query): Promise<number[]> =>
    store.sql.begin("isolation level repeatable read read only", async (tx) => {
      const parameters = readParameters(asked.question.parameters, query);
      const range = await openRange(tx, { tz: "UTC", ...(parameters as Partial<RangeAsked>) });
      await tx`select set_config('statement_timeout', '0', true)`;
      return asked.figures(await asked.question.ask(tx, parameters, range));
    }) as Promise<number[]>;
  const models: number[] = [];
  const times = await interleave<string>(rounds, {
    events: () => timed("events", () => askLong({ ...asked.query, ...offSpan, ...asked.raw })),
    ...Object.fromEntries(
      engines.map((engine) => [engine.name, () => timed(engine.name, () => asked.peer(engine))]),
    ),
    models: async () => {
      for (let at = 0; at < asksOfModels / rounds; at += 1)
        models.push(await timed("models", () => ask(span)));
      return models.at(-1)!;
    },
  });
  const ours = median(models);
  const raw = median(times["events"]!);
  add(`${asked.name}, out of the models`, ours, "ms");
  const p95 = percentile(models, 0.95);
  const judged =
    asked.p95Goal === undefined ? {} : { goal: `≤ ${asked.p95Goal} ms`, ok: p95 <= asked.p95Goal };
  add(`${asked.name}, 95th percentile`, p95, "ms", judged);
  add(`${asked.name}, of the events; to models`, raw, "ms", {
    ratio: raw / ours,
    goal: "≥ 100",
    ok: raw / ours >= 100,
  });
  for (const { name } of engines) {
    const peer = median(times[name]!);
    add(`${asked.name}, ${name}; to models`, peer, "ms", {
      ratio: peer / ours,
      goal: "> 1",
      ok: peer > ours,
    });
  }
}
