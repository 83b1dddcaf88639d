// What happens now on servers of their own: windows and rolling counts are what they are on the embedded one.
import { describe, expect, it } from "vitest";
import { eraseSubject } from "../../aggregator/lifecycle/remove.ts";
import { activeUsers } from "../../aggregator/read/active-users.ts";
import { answer } from "../../aggregator/read/answer.ts";
import { createLive } from "../../aggregator/read/live.ts";
import { foldAll } from "../support/fold-all.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { recordOf } from "./records.ts";
import { closeScene, openHand, openScene } from "./scene.ts";

const dayMs = 86_400_000;

describe.each(["postgres", "timescale"] as const)("on %s", (service) => {
  describeWith([service], "what happens now", () => {
    it("is counted, corrected by what is late, and forgotten where it is erased", async () => {
      const store = await openScene(serviceUrl(service));
      const hand = await openHand(store);
      try {
        const live = createLive({ sql: store.sql, conversionTypes: ["purchase"] });
        const counts = async () => (await live.look(false)).answer({ users: "all" }).data.map(Object.values);
        const by = (userId: string, type = "view") => ({ userId, type });
        const now = Date.now();
        await hand.write(
          0,
          recordOf([
            { name: "l-1", at: now - 2_000, fields: by("ada", "purchase") },
            { name: "l-2", at: now - 200_000, fields: by("eve") },
            { name: "l-3", at: now + 500_000, fields: by("ada") },
            { name: "l-4", at: now - 2 * dayMs, fields: by("bob") },
          ]),
        );
        await foldAll(store);
        const two = [2, 2, 1];
        expect(await counts()).toEqual([
          ["1m", 1, 1, 1],
          ["5m", ...two],
          ["15m", ...two],
          ["1h", ...two],
        ]);
        await hand.write(
          1,
          recordOf([
            { name: "l-1", at: now - 2_000, fields: by("ada", "purchase") },
            { name: "l-5", at: now - 1_000_000, fields: by("bob") },
          ]),
        );
        await eraseSubject(store, { project: "p", actor: "t", kind: "user_id", id: "eve", until: now });
        await foldAll(store);
        expect(await counts()).toEqual([
          ["1m", 1, 1, 1],
          ["5m", 1, 1, 1],
          ["15m", 1, 1, 1],
          ["1h", 2, 2, 1],
        ]);
        const from = new Date(now - dayMs).toISOString().slice(0, 10);
        const { data } = await answer(store.sql, activeUsers, { from: [from], rolling: ["3d"] });
        expect(data[0]).toEqual({ bucket: from, active_users: 1, bucket_users: 0, stickiness: 0 });
      } finally {
        await hand.close();
        await closeScene(store);
      }
    }, 120_000);
  });
});
