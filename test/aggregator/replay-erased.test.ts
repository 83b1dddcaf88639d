// A store that is rebuilt after an erasure: the same rows, and a ledger that never says the erased were stored.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { reconcile } from "../../aggregator/ledger/reconcile.ts";
import { eraseSubject } from "../../aggregator/lifecycle/remove.ts";
import { noon, recordOf } from "./records.ts";
import { openReplayScene, type ReplayScene } from "./replay-scene.ts";

describe("a store rebuilt after an erasure", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-erased-"));
  let scene: ReplayScene;
  beforeAll(async () => {
    scene = await openReplayScene(`embedded:${folder}/postgres`);
  }, 120_000);
  afterAll(async () => {
    await scene.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("has the same rows, and says erased where the live one says stored and removed", async () => {
    const of = (userId: string) => ({ fields: { userId } });
    await scene.publish(
      0,
      recordOf(
        [
          { name: "a", ...of("ann") },
          { name: "b", ...of("bob") },
        ],
        { project: "p" },
      ),
      recordOf(
        [
          { name: "a", ...of("ann") },
          { name: "c", ...of("cem") },
        ],
        { project: "p" },
      ),
    );
    await scene.write([[0, 2]]);
    await eraseSubject(scene.live, {
      project: "p",
      kind: "user_id",
      id: "ann",
      until: noon + 1,
      actor: "test",
    });
    const into = await scene.empty();
    const answer = await scene.replay(into);
    const differing = answer.tables.filter(({ equal }) => !equal).map(({ table }) => table);
    expect(differing).toEqual(["ledger"]);
    const { reader } = scene;
    const common = { ok: true, received: 4, rows_present: 2, lost: 0 };
    expect(await reconcile({ store: scene.live, reader })).toMatchObject({
      ...common,
      stored: 3,
      duplicate: 1,
      erased: 0,
    });
    expect(await reconcile({ store: into, reader })).toMatchObject({
      ...common,
      stored: 2,
      duplicate: 0,
      erased: 2,
    });
  }, 60_000);
});
