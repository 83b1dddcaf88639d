// Notices as they are noted: with the transaction or not at all, and numbered in the order of commits.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { noteNotices } from "../../../aggregator/notice/notices.ts";
import type { Store } from "../../../aggregator/store/store.ts";
import { until } from "../../support/until.ts";
import { closeScene, openScene } from "../scene.ts";

const folder = mkdtempSync(join(tmpdir(), "weir-notices-"));
let store: Store;
beforeAll(async () => {
  store = await openScene(`embedded:${folder}/postgres`);
}, 180_000);
afterAll(async () => {
  await closeScene(store);
  rmSync(folder, { recursive: true, force: true });
});

const keys = async (): Promise<string[]> => {
  const rows = await store.sql<{ key: string }[]>`select key from notices order by number`;
  return rows.map(({ key }) => key);
};

describe("a noted notice", () => {
  it("is there where its transaction commits, with an id of its own, and not otherwise", async () => {
    await store.sql`truncate notices`;
    await store.sql
      .begin(async (tx) => {
        await noteNotices(tx, [{ topic: "alerts", key: "undone", body: {} }]);
        throw new Error("undone");
      })
      .catch(() => {});
    const body = { text: 'a "quoted" ü', nested: { list: [1, null, "x"] } };
    await store.sql.begin((tx) =>
      noteNotices(tx, [
        { topic: "alerts", key: "one", body },
        { topic: "metrics", key: "two", body: {} },
      ]),
    );
    const rows = await store.sql`select id, topic, key, body, published_at from notices order by number`;
    expect(rows.map(({ id: _, ...row }) => row)).toEqual([
      { topic: "alerts", key: "one", body, published_at: null },
      { topic: "metrics", key: "two", body: {}, published_at: null },
    ]);
    expect(new Set(rows.map(({ id }) => id)).size).toBe(2);
  });

  it("has a number behind those of transactions that committed before", async () => {
    await store.sql`truncate notices`;
    const first = Promise.withResolvers<void>();
    const slow = store.sql.begin(async (tx) => {
      await noteNotices(tx, [{ topic: "metrics", key: "first", body: {} }]);
      await first.promise;
    });
    await until("the first holds the order", 10_000, async () => {
      const [row] = await store.sql`select count(*)::int as held from pg_locks where locktype = 'advisory'`;
      return row?.["held"] > 0;
    });
    const second = store.sql.begin((tx) => noteNotices(tx, [{ topic: "metrics", key: "second", body: {} }]));
    expect(await keys()).toEqual([]);
    first.resolve();
    await Promise.all([slow, second]);
    expect(await keys()).toEqual(["first", "second"]);
  });
});
