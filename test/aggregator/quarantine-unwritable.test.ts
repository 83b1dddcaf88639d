// An event that the server would not take: once the server was put right, a retry stores it.
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { retryRows } from "../../aggregator/quarantine/retry.ts";
import { showQuarantined } from "../../aggregator/read/quarantine.ts";
import { openStore } from "../../aggregator/store/open.ts";
import { systemClock } from "../../shared/clock.ts";
import { eventIdIdentity, writeId } from "../../shared/event/identity.ts";
import { silentMeter } from "../../shared/meter.ts";
import { packEvent } from "../../shared/wire/packed-event.ts";
import { type Embedded, startEmbedded } from "../support/embedded.ts";
import { until } from "../support/until.ts";
import { fieldsOf } from "./records.ts";

/** Deeper than a stack of 100 kB takes, and far from too deep for one of the usual 2 MB. */
const depth = 1_500;

describe("an event that the server refused", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-unwritable-"));
  const places = { logUrl: `sqlite:${folder}/log.sqlite`, storeUrl: `embedded:${folder}/postgres` };
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Sessions that begin after this have a stack of that size. */
  async function setStack(size: string): Promise<void> {
    const store = await openStore(places.storeUrl, { schema: "weir", dataDir: folder });
    await store.sql.unsafe(`alter role all set max_stack_depth = '${size}'`);
    await store.close();
  }

  async function send(weir: Embedded): Promise<string> {
    const now = Date.now();
    const hash = createHash("sha256").update(eventIdIdentity("p", "deep")).digest().subarray(0, 16);
    const [key, batchId] = [new Uint8Array(16), new Uint8Array(16)];
    writeId(key, 0, now, hash);
    writeId(batchId, 0, now, randomBytes(10));
    const payload = `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`;
    const bytes = packEvent({ ...fieldsOf({ name: "deep", at: now }), payload });
    const packed = [{ hash, key, fingerprint: randomBytes(8), flags: 0, bytes }];
    await weir.edge.reenter.send({ batchId, project: "p", receivedAt: now, originals: [], packed });
    let id: unknown;
    await until("the event is kept", 20_000, async () => {
      const rows = await weir.store.sql`select quarantine_id::text as id from quarantine`;
      id = rows[0]?.["id"];
      return id !== undefined;
    });
    return String(id);
  }

  it("is stored by a retry once the cause is gone, and counted once", async () => {
    await setStack("100kB");
    const before = await startEmbedded(["p"], places);
    const id = await send(before).finally(() => before.close());
    await setStack("2MB");
    // Another collector, whose claims know nothing of it, as it is five minutes later.
    const weir = await startEmbedded(["p"], places);
    try {
      expect(await showQuarantined(weir.store.sql, id)).toMatchObject({
        reason: "event_unwritable",
        station: "aggregator",
        status: "open",
        detail: expect.stringContaining("stack depth limit exceeded"),
      });
      const { edge, store } = weir;
      const options = {
        store,
        reenter: edge.reenter,
        clock: systemClock,
        meter: silentMeter,
        waitMs: 20_000,
      };
      const answer = await retryRows(options, { selection: { ids: [id] }, asNew: false, actor: "test" });
      expect(answer).toMatchObject({ ok: true, sent: 1, stored: 1, refused_again: 0 });
      const rows =
        await store.sql`select length(payload::text) > ${depth} as whole from events where event_id = 'deep'`;
      expect([...rows]).toEqual([{ whole: true }]);
      expect(await showQuarantined(store.sql, id)).toMatchObject({
        status: "retried",
        history: [
          { action: "retry", actor: "test" },
          { action: "retried", outcome: "stored" },
        ],
      });
      const { ok, checks, received, stored, quarantined } = await weir.reconcile();
      expect(checks.filter((check) => !check.ok)).toEqual([]);
      expect({ ok, received, stored, quarantined }).toEqual({
        ok: true,
        received: 2,
        stored: 1,
        quarantined: 1,
      });
    } finally {
      await weir.close();
    }
  }, 120_000);
});
