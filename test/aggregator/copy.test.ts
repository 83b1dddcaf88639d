// Binary COPY against a real server: every type there and back, and the trap at its end.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Sql } from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { copyRows } from "../../aggregator/copy.ts";
import { CopyBytes } from "../../aggregator/copy-bytes.ts";
import { openStore } from "../../aggregator/store/open.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { until } from "../support/until.ts";

describe("binary COPY", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-copy-"));
  let store: Store;
  let session: Sql;
  beforeAll(async () => {
    store = await openStore(`embedded:${folder}/postgres`, { schema: "public", dataDir: "" });
    session = await store.writer();
  });
  afterAll(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Copies one value of a type with `put`, and answers it as the server shows it. */
  const shown = async (type: string, put: (rows: CopyBytes) => void): Promise<string | null> => {
    const rows = new CopyBytes(8);
    rows.row(1);
    put(rows);
    return await session.begin(async (tx) => {
      await tx.unsafe(`create temp table one (value ${type}) on commit drop`);
      await copyRows(tx, "one", rows.bytes.subarray(0, rows.at), 5_000);
      const [row] = await tx`select value::text as value from one`;
      return row?.["value"] as string | null;
    });
  };

  it.each([
    "0",
    "-0",
    "0.00",
    "1",
    "-1",
    "12.50",
    "0.0001",
    "-0.00010",
    "9999",
    "10000",
    "99999999.9999",
    "100000000",
    "123456789.123456789",
    "1e3",
    "-1.5e-7",
    "1E+10",
    "5e-324",
    "1.7976931348623157e308",
    ".5",
    "5.",
    "+7",
    "-99999999999999999999999999.0000000000000001",
    "1e-1000",
    "1e131071",
    "00012.5",
    "4503599627370497.5",
  ])("carries the decimal %s as the server reads it", async (text) => {
    const [row] = await session.unsafe(`select ('${text}')::numeric::text as value`);
    expect(await shown("numeric", (rows) => rows.numeric(text))).toBe(row?.["value"]);
  });

  it("carries random decimals as the server reads them", async () => {
    const texts = Array.from({ length: 500 }, (_, at) => {
      const digits = String(BigInt(at + 1) ** 9n % 10n ** BigInt((at % 30) + 1));
      const point = at % (digits.length + 1);
      const sign = at % 3 === 0 ? "-" : "";
      return `${sign}${digits.slice(0, point) || "0"}.${digits.slice(point)}0${at % 5 === 0 ? `e${(at % 41) - 20}` : ""}`;
    });
    const rows = new CopyBytes();
    for (const text of texts) {
      rows.row(2);
      rows.numeric(text);
      rows.text(text);
    }
    const wrong = await session.begin(async (tx) => {
      await tx`create temp table many (value numeric, text text) on commit drop`;
      await copyRows(tx, "many", rows.bytes.subarray(0, rows.at), 5_000);
      return await tx`select text, value::text from many where value::text <> text::numeric::text`;
    });
    expect([...wrong]).toEqual([]);
  });

  it.each(["", "1,5", "NaN", "1e", "--1", "1e999999", "1e-99999", " 1", "0x1"])(
    "refuses %j as a decimal",
    (text) => {
      expect(() => new CopyBytes().numeric(text)).toThrow(RangeError);
    },
  );

  const max = Number.MAX_SAFE_INTEGER;
  it.each<[string, (rows: CopyBytes) => void, string | null]>([
    ["int2", (rows) => rows.int2(-2), "-2"],
    ["int4", (rows) => rows.int4(-(2 ** 31)), "-2147483648"],
    ["int8", (rows) => rows.int8(-max), String(-max)],
    ["int8", (rows) => rows.int8(max), String(max)],
    ["int8", (rows) => rows.int8(-1), "-1"],
    ["int8", (rows) => rows.int8(null), null],
    ["text", (rows) => rows.text(""), ""],
    ["text", (rows) => rows.text(`${"ä€😀".repeat(40)}"\\`), `${"ä€😀".repeat(40)}"\\`],
    ["text", (rows) => rows.text("short ä"), "short ä"],
    ["text", (rows) => rows.text("a\ud800b"), "a\ufffdb"],
    ["jsonb", (rows) => rows.jsonb('{"b":1.50,"a":[null,"\\u00e4"]}'), '{"a": [null, "ä"], "b": 1.50}'],
    ["bytea", (rows) => rows.raw(new Uint8Array([9, 0, 255, 9]), 1, 2), "\\x00ff"],
    [
      "uuid",
      (rows) => rows.raw(new Uint8Array(16).fill(0xab), 0, 16),
      "abababab-abab-abab-abab-abababababab",
    ],
    ["timestamptz", (rows) => rows.time(0), "1970-01-01 00:00:00+00"],
    ["timestamptz", (rows) => rows.time(-1), "1969-12-31 23:59:59.999+00"],
    ["timestamptz", (rows) => rows.time(Date.UTC(2026, 10, 20, 12, 0, 0, 7)), "2026-11-20 12:00:00.007+00"],
    ["timestamptz", (rows) => rows.time(2 ** 48 - 1), "10889-08-02 05:31:50.655+00"],
    ["timestamptz", (rows) => rows.time(Date.UTC(-3000, 0, 1)), "3001-01-01 00:00:00+00 BC"],
    ["timestamptz", (rows) => rows.time(null), null],
  ])("carries %s there and back", async (type, put, expected) => {
    expect(await shown(type, put)).toBe(expected);
  });

  it.each<[string, (rows: CopyBytes) => void]>([
    ["a fraction as int8", (rows) => rows.int8(1.5)],
    ["what is no safe integer", (rows) => rows.int8(2 ** 53)],
    ["what is over 32 bits", (rows) => rows.int4(2 ** 31)],
    ["a time with a fraction", (rows) => rows.time(0.5)],
  ])("refuses %s", (_, put) => {
    expect(() => put(new CopyBytes())).toThrow(RangeError);
  });

  describe("that fails", () => {
    const keys = (...values: number[]): Uint8Array => {
      const rows = new CopyBytes();
      for (const value of values) {
        rows.row(2);
        rows.int8(value);
        rows.text("x".repeat(100));
      }
      return rows.bytes.subarray(0, rows.at);
    };
    const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 10);

    beforeEach(async () => {
      await session`drop table if exists keyed`;
      await session`create table keyed (key int8 primary key, text text)`;
      await session`insert into keyed values (1, '')`;
    });

    it.each([
      ["at its very end", keys(2, 3, 1)],
      ["at its beginning, with megabytes still to come", keys(1, ...upTo(40_000))],
      ["at its end, after megabytes", keys(...upTo(40_000), 1)],
      ["with one row alone", keys(1)],
    ])("says so and leaves the transaction usable: %s", async (_, rows) => {
      const counts = await session.begin(async (tx) => {
        await expect(copyRows(tx, "keyed", rows, 10_000)).rejects.toMatchObject({ code: "23505" });
        await copyRows(tx, "keyed", keys(5, 6), 10_000);
        return await tx`select count(*)::int as count from keyed`;
      });
      expect(counts[0]).toEqual({ count: 3 });
      expect((await session`select count(*)::int as count from keyed`)[0]).toEqual({ count: 3 });
    });

    it("by a trigger at the end of the statement says so too", async () => {
      await session`create or replace function refuse() returns trigger language plpgsql as
        $$ begin raise exception 'refused' using errcode = '23514'; end $$`;
      await session`create trigger refuses after insert on keyed for each statement execute function refuse()`;
      const refused = session.begin((tx) => copyRows(tx, "keyed", keys(7), 10_000));
      await expect(refused).rejects.toMatchObject({ code: "23514" });
    });

    it("by a broken row says so", async () => {
      const refused = session.begin((tx) => copyRows(tx, "keyed", new Uint8Array([0, 3, 1, 2]), 10_000));
      await expect(refused).rejects.toMatchObject({ code: "22P04" });
    });

    it("by silence is given up at the deadline", async () => {
      const other = await store.writer();
      let free: () => void = () => {};
      const holding = other.begin(async (tx) => {
        await tx`lock table keyed in access exclusive mode`;
        await new Promise<void>((resolve) => {
          free = resolve;
        });
      });
      await until("it holds it", 10_000, async () => {
        const [row] =
          await store.sql`select count(*)::int as count from pg_locks where mode = 'AccessExclusiveLock' and granted and relation = 'keyed'::regclass`;
        return row?.["count"] === 1;
      });
      const refused = session.begin((tx) => copyRows(tx, "keyed", keys(8), 200));
      await expect(refused).rejects.toMatchObject({ code: "DEADLINE" });
      expect((await session`select 1 as one`)[0]).toEqual({ one: 1 });
      free();
      await holding;
      await other.end();
    });
  });
});
