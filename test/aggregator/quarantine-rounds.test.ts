// What the running aggregator does with the quarantine by itself, on the whole pipeline and a clock set forward.
import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { runRound } from "../../aggregator/quarantine/automatic.ts";
import { retryRows } from "../../aggregator/quarantine/retry.ts";
import { nextRetryAt, transientReasons } from "../../aggregator/quarantine/transient.ts";
import { showQuarantined } from "../../aggregator/read/quarantine.ts";
import { type Clock, systemClock } from "../../shared/clock.ts";
import { toUuid } from "../../shared/event/bytes.ts";
import { writeId } from "../../shared/event/identity.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { quarantineReasons } from "../../shared/problem.ts";
import type { Reenter } from "../../shared/wire/reentry.ts";
import { type Embedded, startEmbedded } from "../support/embedded.ts";
import { until } from "../support/until.ts";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

describe("a round over the quarantine", () => {
  let weir: Embedded;
  beforeAll(async () => {
    weir = await startEmbedded(["p"]);
  }, 60_000);
  afterAll(() => weir.close());
  // Each test begins with nothing open.
  beforeEach(async () => {
    await weir.store.sql`update quarantine set status = 'discarded' where status = 'open'`;
  });

  const ahead = (ms: number): Clock => ({ ...systemClock, now: () => systemClock.now() + ms });

  const round = (ms: number, reenter: Reenter | null = weir.edge.reenter, days = 90) =>
    runRound({
      store: weir.store,
      reenter: reenter ?? undefined,
      clock: ahead(ms),
      meter: silentMeter,
      logger: silentLogger,
      days,
    });

  async function newest(count: number): Promise<string[]> {
    const before = await weir.store.sql`select coalesce(max(quarantine_id), 0)::text as id from quarantine`;
    const last = Number(before[0]?.["id"]);
    let ids: string[] = [];
    return await new Promise<string[]>((resolve, reject) => {
      until("the events are kept", 20_000, async () => {
        const rows = await weir.store.sql`select quarantine_id from quarantine where quarantine_id > ${last}`;
        ids = rows.map((row) => String(row["quarantine_id"]));
        return ids.length >= count;
      }).then(() => resolve(ids), reject);
    });
  }

  async function send(events: readonly unknown[]): Promise<string[]> {
    const kept = newest(events.length);
    const response = await fetch(`${weir.edge.url}/v1/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${weir.keyOf("p")}`, "content-type": "application/json" },
      body: JSON.stringify({ events }),
    });
    expect(response.status).toBe(202);
    return await kept;
  }

  /** An event whose bytes no row can be made of, as a broken edge would send it. */
  async function sendUnwritable(): Promise<string> {
    const hash = createHash("sha256").update(randomBytes(8)).digest().subarray(0, 16);
    const key = new Uint8Array(16);
    writeId(key, 0, Date.now(), hash);
    const kept = newest(1);
    const event = { hash, key, fingerprint: randomBytes(8), flags: 0, bytes: Buffer.from("no event") };
    const batchId = new Uint8Array(16);
    writeId(batchId, 0, Date.now(), randomBytes(10));
    await weir.edge.reenter.send({
      batchId,
      project: "p",
      receivedAt: Date.now(),
      originals: [],
      packed: [event],
    });
    return (await kept)[0]!;
  }

  /** Rounds until the row stands so; the ledger takes a moment. */
  const settles = (id: string, status: string, ms = 0) =>
    until(`the row is ${status}`, 20_000, async () => {
      await round(ms, null);
      return (await showQuarantined(weir.store.sql, id))?.status === status;
    });

  async function reconciles(): Promise<void> {
    const { ok, checks } = await weir.reconcile();
    expect(checks.filter((check) => !check.ok)).toEqual([]);
    expect(ok).toBe(true);
  }

  it("sends an event whose time lay ahead when that has come, and not before", async () => {
    const timestamp = Date.now() + 30 * minuteMs;
    const [id] = (await send([{ event_id: "later", type: "t", user_id: "u", timestamp }])) as [string];
    expect(await round(0)).toMatchObject({ sent: 0 });
    expect(await round(20 * minuteMs)).toMatchObject({ sent: 0 });
    expect(await round(22 * minuteMs)).toMatchObject({ sent: 1 });
    await settles(id, "retried");
    const rows = await weir.store.sql`select event_time from events where event_id = 'later'`;
    expect([...rows]).toEqual([{ event_time: new Date(timestamp) }]);
    expect((await showQuarantined(weir.store.sql, id))?.history[0]).toMatchObject({ actor: "automatic" });
    await reconciles();
  });

  it("tries what the store refused again and again, each time later, and at last no more", async () => {
    const id = await sendUnwritable();
    let now = 0;
    let sent = 0;
    for (let attempt = 0; attempt < 8; attempt += 1) {
      await round(now);
      const row = await showQuarantined(weir.store.sql, id);
      expect(row).toMatchObject({ reason: "event_unwritable", status: "open" });
      if (row?.next_retry_at == null) break;
      const next = Date.parse(row.next_retry_at) - Date.now();
      expect(next - now).toBeGreaterThan(9 * minuteMs * 4 ** attempt);
      expect(await round(next - minuteMs)).toMatchObject({ sent: 0 });
      expect(await round(next + 1_000)).toMatchObject({ sent: 1 });
      sent += 1;
      now = next + 1_000;
      await settles(id, "open", now);
    }
    expect(sent).toBe(5);
    expect(await round(now + 300 * dayMs, weir.edge.reenter, 9_999)).toMatchObject({ sent: 0 });
    await reconciles();
  }, 60_000);

  it("says that the claims still know it where that is why", async () => {
    const id = await sendUnwritable();
    const options = {
      store: weir.store,
      reenter: weir.edge.reenter,
      clock: systemClock,
      meter: silentMeter,
      waitMs: 20_000,
    };
    const answer = await retryRows(options, { selection: { ids: [id] }, asNew: false, actor: "test" });
    expect(answer).toMatchObject({ ok: false, refused_again: 1 });
    expect(answer.rows[0]?.detail).toContain("after five minutes");
    await reconciles();
  });

  it("leaves alone what needs a hand", async () => {
    const [id] = (await send([{ event_id: "stays", type: "t", user_id: "u", colour: 1 }])) as [string];
    expect(await round(80 * dayMs)).toMatchObject({ sent: 0 });
    expect(await showQuarantined(weir.store.sql, id)).toMatchObject({ status: "open", attempts: 0 });
    expect([...transientReasons].sort()).toEqual(["event_unwritable", "time_ahead"]);
    for (const reason of quarantineReasons) {
      if (transientReasons.includes(reason)) continue;
      expect(nextRetryAt({ reason, attempts: 0 }, 0)).toBeUndefined();
    }
  });

  it("sends once what two aggregators find due at the same time", async () => {
    const timestamp = Date.now() + 30 * minuteMs;
    const events = Array.from({ length: 10 }, (_, at) => ({
      event_id: `both${at}`,
      type: "both",
      user_id: "u",
      timestamp,
    }));
    const ids = await send(events);
    await round(0);
    const before = await weir.reconcile();
    const answers = await Promise.all([round(25 * minuteMs), round(25 * minuteMs)]);
    expect(answers.reduce((sum, { sent }) => sum + sent, 0)).toBe(10);
    await settles(ids[0]!, "retried");
    expect((await weir.reconcile()).received - before.received).toBe(10);
    await reconciles();
  });

  it("takes up a retry that was cut short, after a minute", async () => {
    const [id] = (await send([{ event_id: "cut", type: "t", user_id: "u", colour: 1 }])) as [string];
    const away: Reenter = { send: () => Promise.reject(new Error("away")) };
    const options = { store: weir.store, reenter: away, clock: systemClock, meter: silentMeter, waitMs: 0 };
    await retryRows(options, { selection: { ids: [id] }, asNew: false, actor: "test" });
    await round(30_000);
    expect(await showQuarantined(weir.store.sql, id)).toMatchObject({ status: "retrying" });
    await round(61_000);
    await settles(id, "open");
    await reconciles();
  });

  it("removes what is older than its days, but nothing that is on its way", async () => {
    const [id] = (await send([{ event_id: "aged", type: "t", user_id: "u", colour: 1 }])) as [string];
    const [under] = (await send([{ event_id: "way", type: "t", user_id: "u", colour: 1 }])) as [string];
    const away: Reenter = { send: () => Promise.reject(new Error("away")) };
    const options = { store: weir.store, reenter: away, clock: systemClock, meter: silentMeter, waitMs: 0 };
    await retryRows(options, { selection: { ids: [under] }, asNew: false, actor: "test" });
    const before = await weir.reconcile();
    expect((await round(8 * dayMs, null, 7)).expired).toBeGreaterThan(0);
    expect(await showQuarantined(weir.store.sql, id)).toBeUndefined();
    expect(await showQuarantined(weir.store.sql, under)).toMatchObject({ status: "retrying" });
    expect((await weir.reconcile()).quarantined).toBe(before.quarantined);
    await reconciles();
  });

  it("names a retry anew that was cut short so long ago that no collector takes it", async () => {
    const [id] = (await send([{ event_id: "stale", type: "t", user_id: "u", colour: 1 }])) as [string];
    const away: Reenter = { send: () => Promise.reject(new Error("away")) };
    const options = { store: weir.store, reenter: away, clock: systemClock, meter: silentMeter, waitMs: 0 };
    await retryRows(options, { selection: { ids: [id] }, asNew: false, actor: "test" });
    const [row] = await weir.store.sql`select retry_batch_id from quarantine where quarantine_id = ${id}`;
    const sent: string[] = [];
    const spy: Reenter = {
      send(reentry) {
        sent.push(toUuid(reentry.batchId));
        return weir.edge.reenter.send(reentry);
      },
    };
    await round(4 * dayMs, spy);
    expect(sent).not.toContain(row?.["retry_batch_id"]);
    expect(await showQuarantined(weir.store.sql, id)).toMatchObject({ status: "open" });
    await reconciles();
  });
});
