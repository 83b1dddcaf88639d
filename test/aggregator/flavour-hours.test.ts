// The hourly view says what the events say, on every flavour: late rows, old chunks and removals included.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { dropEmpty } from "../../aggregator/lifecycle/chunks.ts";
import { eraseSubject, expireEvents } from "../../aggregator/lifecycle/remove.ts";
import { refreshHours } from "../../aggregator/store/continuous.ts";
import { migrate } from "../../aggregator/store/migrate.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { manualClock } from "../support/clock.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { recordOf, type Sketch } from "./records.ts";
import { closeScene, countRows, type Hand, openHand, openScene } from "./scene.ts";

const day = 86_400_000;
const now = Date.now();
const folder = mkdtempSync(join(tmpdir(), "weir-hours-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the hours on plain PostgreSQL", () => suite(() => `embedded:${folder}/postgres`));
describeWith(["timescale"], "the hours on TimescaleDB's Apache edition", () =>
  suite(() => serviceUrl("timescale")),
);
describeWith(["timescale_community"], "the hours on TimescaleDB's community edition", () =>
  suite(() => serviceUrl("timescale_community")),
);

function suite(url: () => string): void {
  let store: Store;
  let hand: Hand;
  beforeAll(async () => {
    store = await openScene(url());
  }, 120_000);
  afterAll(async () => {
    await hand.close();
    await closeScene(store);
  });
  beforeEach(async () => {
    await hand?.close();
    await store.sql`truncate events, ledger, fresh_events, stale_days, row_removals, retained_from, erasures`;
    hand = await openHand(store);
    await write(0, 400);
  });

  // Over twenty days, of five people, some of them without a country, a device or money.
  const sketch = (number: number): Sketch => ({
    name: `h-${number}`,
    at: now - 60_000 - (number % 20) * day - (number % 7) * 1_200_000,
    fields: {
      userId: `u-${number % 5}`,
      type: number % 3 === 0 ? "purchase" : "page_view",
      country: number % 4 === 0 ? null : `C${number % 2}`,
      device: number % 6 === 0 ? null : "phone",
      revenue: number % 3 === 0 ? `${number}.10` : null,
      currency: number % 9 === 0 ? "USD" : null,
    },
  });
  const write = (from: number, to: number) =>
    hand.write(0, recordOf(Array.from({ length: to - from }, (_, at) => sketch(from + at))));
  const pack = async (): Promise<void> => {
    if (store.flavour !== "timescale-community") return;
    await store.sql`
      select compress_chunk(c, if_not_compressed => true)
      from show_chunks('events', older_than => interval '7 days') as c`;
  };
  const differing = async (): Promise<number> => {
    const [row] = await store.sql`
      with counted as (
        select project_id, date_trunc('hour', event_time) as hour, type, country, city, device, app_version, currency,
          count(*) as events, sum(revenue) as revenue
        from events
        group by 1, 2, 3, 4, 5, 6, 7, 8
      )
      select count(*)::int as differing from (
        (table counted except all table hourly_dimensions)
        union all
        (table hourly_dimensions except all table counted)
      ) as either`;
    return row!["differing"];
  };
  const events = async (): Promise<number> => {
    const [row] = await store.sql`select coalesce(sum(events), 0)::int as events from hourly_dimensions`;
    return row!["events"];
  };

  it("are those of the events, before and after they are kept", async () => {
    expect(await differing()).toBe(0);
    await refreshHours(store);
    await migrate(store);
    expect(await differing()).toBe(0);
    expect(await events()).toBe(400);
  });

  it("have what happens now at once, and what comes late when they are refreshed", async () => {
    await refreshHours(store);
    const recent = Array.from({ length: 50 }, (_, at) => ({ name: `n-${at}`, at: Date.now() - at }));
    await hand.write(0, recordOf(recent));
    expect(await differing()).toBe(0);
    await pack();
    await write(300, 700);
    await refreshHours(store);
    expect(await differing()).toBe(0);
    expect(await events()).toBe(750);
  });

  it("lose what is erased or expires, also out of old chunks", async () => {
    await refreshHours(store);
    await pack();
    const erasure = { project: "p", actor: "t", kind: "user_id", id: "u-2", until: now } as const;
    expect(await eraseSubject(store, erasure)).toMatchObject({ rows: 80 });
    await expireEvents(store, { project: "p", actor: "t", from: now - 10 * day });
    const dropped = await dropEmpty(store, manualClock(now));
    expect(dropped > 5).toBe(store.flavour !== "postgresql");
    await refreshHours(store);
    expect(await differing()).toBe(0);
    expect(await events()).toBe(await countRows(store, "events"));
  });
}
