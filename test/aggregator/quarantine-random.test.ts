// Seeded days in the life of the quarantine: events, mends, retries cut short, discards and expiry in any order;
// after each the books close, and at the end every event is where it should be.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runRound } from "../../aggregator/quarantine/automatic.ts";
import { discardRows } from "../../aggregator/quarantine/discard.ts";
import { retryRows } from "../../aggregator/quarantine/retry.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import type { Reenter } from "../../shared/wire/reentry.ts";
import { type Embedded, startEmbedded } from "../support/embedded.ts";

const minutes = 3 * 60_000;
const steps = 50;

/** Park and Miller's generator: the same numbers for the same seed everywhere. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 0x7fff_ffff;
    return state % below;
  };
}

describe("the quarantine, whatever is done with it", () => {
  let weir: Embedded;
  beforeAll(async () => {
    weir = await startEmbedded(["p"]);
  }, minutes);
  afterAll(() => weir.close());

  async function play(seed: number): Promise<void> {
    const { store, edge } = weir;
    const random = randomOf(seed);
    const pick = (): number => random(12);
    const base = { type: `seed ${seed}`, user_id: "u", timestamp: Date.now() - 60_000 };
    /** Contents sent under each name; the first digit says the name. */
    const sent = new Set<string>();

    const cut: Reenter = {
      async send(reentry) {
        const when = random(3);
        if (when === 0) throw new Error("cut before");
        const answer = await edge.reenter.send(reentry);
        if (when === 1) throw new Error("cut after");
        return answer;
      },
    };
    const retry = (reenter: Reenter) =>
      retryRows(
        { store, reenter, clock: systemClock, meter: silentMeter, waitMs: 20_000 },
        {
          selection: { reason: (["unknown_field", "conflict"] as const)[random(2)] },
          asNew: random(2) === 0,
          actor: "x",
        },
      );
    const doings: (() => Promise<unknown>)[] = [
      async () => {
        const events = Array.from({ length: 1 + random(5) }, () => {
          const [name, content, wrong] = [pick(), random(3), random(2) === 0];
          sent.add(`${name} ${content}`);
          const payload = { name, content };
          return { ...base, event_id: `${seed} ${name}`, payload, ...(wrong ? { colour: 1 } : {}) };
        });
        const response = await fetch(`${edge.url}/v1/events`, {
          method: "POST",
          headers: { authorization: `Bearer ${weir.keyOf("p")}`, "content-type": "application/json" },
          body: JSON.stringify({ events }),
        });
        expect(response.status).toBe(202);
      },
      () => store.sql`
        update quarantine
        set original = convert_to(replace(convert_from(original, 'utf8'), ',"colour":1', ''), 'utf8')
        where reason = 'unknown_field' and status = 'open' and quarantine_id % 3 = ${random(3)}`,
      () => retry(edge.reenter),
      () => retry(cut),
      () => Promise.all([retry(edge.reenter), retry(cut)]),
      async () => {
        const rows = await store.sql`select quarantine_id from quarantine where status = 'open' limit 1`;
        const ids = rows.map((row) => String(row["quarantine_id"]));
        await discardRows(store, { selection: { ids }, actor: "x", why: "x" });
      },
      () => {
        const clock = { ...systemClock, now: () => systemClock.now() + random(3) * 60_000 };
        const days = 90;
        return runRound({
          store,
          reenter: edge.reenter,
          clock,
          meter: silentMeter,
          logger: silentLogger,
          days,
        });
      },
    ];
    for (let step = 0; step < steps; step += 1) {
      await doings[step % 3 === 0 ? 0 : random(doings.length)]!();
      const { ok, checks } = await weir.reconcile();
      expect(checks.filter((check) => !check.ok)).toEqual([]);
      expect(ok).toBe(true);
    }
    // What is still on its way ends, and then nothing is anywhere twice and nothing is nowhere.
    await retryRows(
      { store, reenter: edge.reenter, clock: systemClock, meter: silentMeter, waitMs: 20_000 },
      { selection: {}, asNew: true, actor: "x" },
    );
    const ownIds = await store.sql`
      select payload->>'name' as name, count(*)::int as rows
      from events where type = ${base.type} and event_id like ${`${seed} %`} group by 1`;
    expect(ownIds.filter((row) => row["rows"] !== 1)).toEqual([]);
    const contents = await store.sql`
      select payload->>'name' as name, payload->>'content' as content, count(*)::int as rows
      from events where type = ${base.type} group by 1, 2`;
    expect(contents.filter((row) => row["rows"] !== 1)).toEqual([]);
    const kept = await store.sql`select status, original from quarantine where status <> 'retried'`;
    expect(kept.filter((row) => !["open", "discarded"].includes(String(row["status"])))).toEqual([]);
    const present = new Set(contents.map((row) => `${row["name"]} ${row["content"]}`));
    const isKept = (name: string): boolean => {
      const [event, content] = name.split(" ");
      const text = `"name":${event},"content":${content}`;
      const packed = `"content":${content},"name":${event}`;
      return kept.some(({ original }) => original.includes(text) || original.includes(packed));
    };
    expect([...sent].filter((name) => !present.has(name) && !isKept(name))).toEqual([]);
  }

  const first = Number(process.env["WEIR_TEST_SEED"] ?? 1);
  it.each(process.env["WEIR_TEST_LONG"] === "1" ? [first, first + 1, first + 2] : [first])(
    "closes after every step with seed %i",
    (seed) => play(seed),
    minutes,
  );
});
