// The stable views on servers of their own: what names neither version nor country, person nor currency is one row.
import { describe, expect, it } from "vitest";
import { foldAll } from "../support/fold-all.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { noon, recordOf } from "./records.ts";
import { closeScene, openHand, openScene } from "./scene.ts";

describe.each(["postgres", "timescale"] as const)("on %s", (service) => {
  describeWith([service], "the views", () => {
    it("add what is folded later to the same rows, also where nothing is named", async () => {
      const store = await openScene(serviceUrl(service));
      const hand = await openHand(store);
      try {
        const fields = { userId: null, country: null, appVersion: null, revenue: "1.50", currency: null };
        for (const name of ["n-1", "n-2", "n-3"]) {
          await hand.write(0, recordOf([{ name, at: noon, fields: { ...fields, anonymousId: null } }]));
          await foldAll(store);
        }
        await hand.write(0, recordOf([{ name: "n-4", at: noon, fields: { ...fields, anonymousId: "v" } }]));
        await foldAll(store);
        const daily = await store.sql`
          select app_version, country, active_users::int, sessions::int, events::int from daily_metrics`;
        expect([...daily]).toEqual([
          { app_version: null, country: null, active_users: 1, sessions: 1, events: 4 },
        ]);
        const revenue = await store.sql`select country, currency, revenue::text from revenue_by_day`;
        expect([...revenue]).toEqual([{ country: null, currency: null, revenue: "6.00" }]);
        const hourly = await store.sql`select active_users::int, events::int from hourly_metrics`;
        expect([...hourly]).toEqual([{ active_users: 1, events: 4 }]);
        const [counts] = await store.sql`
          select (select count(*)::int from person_days) as days, (select count(*)::int from quarter_counts) as quarters`;
        expect(counts).toEqual({ days: 2, quarters: 1 });
      } finally {
        await hand.close();
        await closeScene(store);
      }
    }, 120_000);
  });
});
