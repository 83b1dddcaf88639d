// Single events for any SQL client, on every flavour: what stays, who reads them, and what a time costs.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { eraseSubject, expireEvents } from "../../aggregator/lifecycle/remove.ts";
import { ownSelect } from "../../aggregator/read/own-select.ts";
import { readerRoles } from "../../aggregator/store/reader.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { noon, recordOf, type Sketch } from "./records.ts";
import { closeScene, type Hand, openHand, openScene } from "./scene.ts";

const day = 86_400_000;
const folder = mkdtempSync(join(tmpdir(), "weir-raw-events-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("raw_events on plain PostgreSQL", () => suite(() => `embedded:${folder}/postgres`));
describeWith(["timescale"], "raw_events on TimescaleDB's Apache edition", () =>
  suite(() => serviceUrl("timescale")),
);
describeWith(["timescale_community"], "raw_events on TimescaleDB's community edition", () =>
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
    // Each lies in a month of its own.
    await hand.write(0, recordOf([0, 70, 140, 210].map((age) => at(age))));
    if (store.flavour !== "timescale-community") return;
    await store.sql`
      select compress_chunk(c, if_not_compressed => true)
      from show_chunks('events', older_than => interval '7 days') as c`;
  });

  const at = (age: number): Sketch => ({
    name: `e-${age}`,
    at: noon - age * day,
    fields: { userId: `u-${age}`, anonymousId: "v", city: "Bath", device: "phone", context: '{"page":"/"}' },
  });
  const ids = async (): Promise<unknown[]> => {
    const { rows, isReader } = await ownSelect(store, "select event_id from raw_events order by event_time");
    expect(isReader).toBe(true);
    return rows.map((row) => row["event_id"]);
  };

  it("has these columns, in this order", async () => {
    const rows = await store.sql`
      select column_name || ' ' || data_type as line
      from information_schema.columns
      where table_schema = ${store.schema} and table_name = 'raw_events'
      order by ordinal_position`;
    expect(rows.map(({ line }) => line)).toEqual([
      "project_id text",
      "event_id text",
      "type text",
      "version integer",
      "event_time timestamp with time zone",
      "client_time timestamp with time zone",
      "received_at timestamp with time zone",
      "user_id text",
      "anonymous_id text",
      "session_id text",
      "country text",
      "city text",
      "device text",
      "app_version text",
      "revenue numeric",
      "currency text",
      "payload jsonb",
      "context jsonb",
    ]);
  });

  it("shows a reader every event as it was stored, and no reader sees the table", async () => {
    const asked = "where event_id = 'e-140'";
    const { rows, isReader } = await ownSelect(
      store,
      `select *, extract(epoch from event_time)::bigint as event_time, client_time = event_time as client_time,
        extract(epoch from received_at)::bigint as received_at from raw_events ${asked}`,
    );
    expect(isReader).toBe(true);
    expect(rows).toMatchObject([
      {
        ...{ project_id: "p", event_id: "e-140", type: "purchase", version: "1", user_id: "u-140" },
        ...{ anonymous_id: "v", session_id: "s-1", country: "United Kingdom", city: "Bath", device: "phone" },
        ...{ app_version: "2.1.0", revenue: "15.30", currency: "GBP" },
        ...{ payload: '{"content": "same"}', context: '{"page": "/"}' },
        event_time_19: String((noon - 140 * day) / 1000),
        client_time_20: "t",
        received_at_21: String((noon + 1_000) / 1000),
      },
    ]);
    const bucket =
      store.flavour === "postgresql"
        ? "date_bin('1 day', event_time, 'epoch')"
        : "time_bucket('1 day', event_time)";
    expect((await ownSelect(store, `select ${bucket} from raw_events group by 1`)).rows).toHaveLength(4);
    const denied = "permission denied for table events";
    await expect(ownSelect(store, `select payload from events ${asked}`)).rejects.toThrow(denied);
  });

  it("loses what is erased or expires at once", async () => {
    expect(await ids()).toEqual(["e-210", "e-140", "e-70", "e-0"]);
    const erasure = { project: "p", actor: "t", kind: "user_id", id: "u-70", until: noon } as const;
    await eraseSubject(store, erasure);
    expect(await ids()).toEqual(["e-210", "e-140", "e-0"]);
    await expireEvents(store, { project: "p", actor: "t", from: noon - 150 * day });
    expect(await ids()).toEqual(["e-140", "e-0"]);
  });

  it("is planned as the table is, and reads the parts of the time that is asked for alone", async () => {
    // No operator of the last condition may see rows that a view keeps back.
    const asked = `where event_time >= '${new Date(noon - 150 * day).toISOString()}'
      and event_time < '${new Date(noon - 130 * day).toISOString()}' and payload ->> 'content' = 'same'`;
    const plan = await planOf(`select user_id, payload from raw_events ${asked}`);
    const [row] = await store.sql`
      select relname as part from events e join pg_class c on c.oid = e.tableoid where event_id = 'e-140'`;
    expect(await partsIn(plan)).toEqual([row!["part"]]);
    expect(await partsIn(await planOf("select user_id, payload from raw_events"))).toHaveLength(4);
    expect(plan).toEqual(await planOf(`select user_id, payload from events ${asked}`, false));
  });

  // As the role that others are given, which sees no table's figures but through the view.
  async function planOf(query: string, isReader = true): Promise<string[]> {
    return await store.sql.begin(async (tx) => {
      if (isReader) await tx.unsafe(`set local role ${readerRoles(store.schema).reader}`);
      const rows = await tx.unsafe(`explain (costs off) ${query}`);
      return rows.map((row) => String(row["QUERY PLAN"]));
    });
  }

  async function partsIn(plan: readonly string[]): Promise<string[]> {
    const rows = await store.sql<{ part: string }[]>`
      select c.relname as part
      from pg_inherits i
      join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'events'::regclass
      order by 1`;
    const text = `${plan.join("\n")}\n`;
    return rows.map(({ part }) => part).filter((part) => new RegExp(` on ${part}\\b`).test(text));
  }
}
