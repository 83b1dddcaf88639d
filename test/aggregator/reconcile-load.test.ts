// The proof while everything moves: looked at again and again on a broker under load, it always holds.
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Following, followLog } from "../../aggregator/follow.ts";
import { type ReconcileAnswer, reconcile } from "../../aggregator/ledger/reconcile.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { createMemoryClaims } from "../../collector/claims/memory.ts";
import { readCollectorConfig } from "../../collector/config.ts";
import { startCollector } from "../../collector/main.ts";
import { systemClock } from "../../shared/clock.ts";
import { openLog } from "../../shared/log/open.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { until } from "../support/until.ts";
import { batchOf } from "./records.ts";
import { closeScene, openScene } from "./scene.ts";

const parts = { clock: systemClock, meter: silentMeter, logger: silentLogger };
const loadMs = 6_000;
const batchesAtOnce = 24;
const answersMin = 4;

describeWith(["kafka"], "reconcile under load", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-load-"));
  let store: Store;
  let following: Following | undefined;
  beforeAll(async () => {
    store = await openScene(`embedded:${folder}/postgres`);
  }, 60_000);
  afterAll(async () => {
    await following?.close();
    await closeScene(store);
    rmSync(folder, { recursive: true, force: true });
  });

  it("misses nothing that is only on its way", async () => {
    const topic = `load-${randomBytes(4).toString("hex")}`;
    const log = await openLog(serviceUrl("kafka"), { topic, partitions: 12, allowWeak: true });
    await log.create();
    const producer = await log.producer();
    const collectors = await Promise.all(
      ["west", "east"].map((name) =>
        startCollector({
          ...{ ...parts, producer, claims: createMemoryClaims({ clock: systemClock }), listen: false },
          config: readCollectorConfig({ env: { WEIR_COLLECTOR_NAME: name } }),
        }),
      ),
    );
    following = await followLog({ ...parts, store, log, group: topic });
    const end = Date.now() + loadMs;
    const answers: ReconcileAnswer[] = [];
    const goesOn = () => Date.now() < end || answers.length < answersMin;
    let sent = 0;
    const load = Array.from({ length: batchesAtOnce }, async (_, lane) => {
      for (let at = 0; goesOn(); at += 1) {
        await collectors[lane % 2]!.port.send(batchOf([{ name: `${lane}-${at}` }, { name: "copy" }]));
        sent += 2;
      }
    });
    const { reader } = following;
    while (goesOn()) answers.push(await reconcile({ store, reader }));
    await Promise.all(load);
    expect(answers.some(({ in_flight }) => in_flight > 0)).toBe(true);
    expect(answers.filter(({ ok }) => !ok).map(({ lost, checks }) => ({ lost, checks }))).toEqual([]);
    await until("everything is written", 20_000, async () => {
      const { in_flight } = await reconcile({ store, reader });
      return in_flight === 0;
    });
    expect(await reconcile({ store, reader })).toMatchObject({ ok: true, received: sent, lost: 0 });
    for (const one of collectors) await one.close();
    await producer.close();
  }, 120_000);
});
