// `weir query`: one select over the stable views, and nothing else.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Store } from "../../aggregator/store/store.ts";
import { foldAll } from "../support/fold-all.ts";
import { openProcesses } from "../support/processes.ts";
import { recordOf } from "./records.ts";
import { closeScene, countRows, openHand, openScene } from "./scene.ts";

describe("weir query", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-query-command-"));
  const url = `embedded:${folder}/postgres`;
  const processes = openProcesses();
  let store: Store;
  beforeAll(async () => {
    store = await openScene(url);
    const hand = await openHand(store);
    const people = ["ada", 'bob, "the builder"'].map((userId) => ({ name: userId, fields: { userId } }));
    await hand.write(0, recordOf(people));
    await hand.close();
    await foldAll(store);
  }, 120_000);
  afterAll(async () => {
    await processes.close();
    await closeScene(store);
    rmSync(folder, { recursive: true, force: true });
  });

  const weir = (...words: string[]) => {
    const settings = { WEIR_STORE_URL: url, WEIR_STORE_SCHEMA: store.schema, WEIR_DATA_DIR: folder };
    return processes.run(["query", ...words], settings);
  };

  it("answers as a table, as JSON and as CSV", async () => {
    const sql = "select person, null as nothing, 1 as nothing from users order by 1;";
    const table = await weir(sql);
    expect(table.code, table.said).toBe(0);
    expect(table.said).toContain(
      "person              nothing  nothing_3\n------------------  -------  ---------\nada",
    );
    const rows = ["ada", 'bob, "the builder"'].map((person) => ({ person, nothing: null, nothing_3: "1" }));
    const columns = ["person", "nothing", "nothing_3"];
    expect((await weir(sql, "--json")).result).toEqual({ columns, rows });
    expect((await weir(sql, "--csv")).said).toContain('"bob, ""the builder""",,1');
  }, 60_000);

  it("answers with single events, whose table it does not open", async () => {
    const asked =
      "select event_id, user_id, payload ->> 'content' as content from raw_events where user_id = 'ada'";
    const { code, said, result } = await weir(asked, "--json");
    expect({ code, result }, said).toMatchObject({
      code: 0,
      result: { rows: [{ event_id: "ada", user_id: "ada", content: "same" }] },
    });
    expect(said).not.toContain("with all rights");
    const denied = await weir(asked.replace("raw_events", "events"));
    expect(denied).toMatchObject({
      code: 2,
      said: expect.stringMatching(/permission denied for table events/),
    });
  }, 60_000);

  it("shows no control characters that an event brought, and leaves negative numbers as they are", async () => {
    const sql = "select chr(27) || '[2J' as person, -12.5 as revenue";
    expect((await weir(sql)).said).toContain("\ufffd[2J");
    expect((await weir(sql)).said).not.toContain("\u001b");
    expect((await weir(sql, "--csv")).said).toContain(",-12.5");
  }, 60_000);

  it.each([
    ["delete from events", /not one select/],
    ["with gone as (delete from events returning 1) select * from gone", /data-modifying statement/],
    ["select 1; delete from events", /multiple commands/],
    ["select 1; commit; delete from events", /multiple commands/],
    ["select setval(pg_get_serial_sequence('fresh_events', 'mark'), 1)", /permission denied/],
    ["select * from generate_series(1, 20000)", /more than 10000 rows/],
    ["nonsense", /syntax error/],
  ])("refuses %s", async (sql, why) => {
    const answered = await weir(sql);
    expect(answered.said).toMatch(why);
    expect(answered.code).toBe(2);
    expect(await countRows(store, "events")).toBe(2);
  });
});
