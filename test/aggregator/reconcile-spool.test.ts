// The proof with what lies in spools: counted once wherever a record is, and named where it cannot be seen.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Consume, startConsume } from "../../aggregator/consume.ts";
import { reconcile } from "../../aggregator/ledger/reconcile.ts";
import { ledgerParameters } from "../../aggregator/read/ledger.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { openFileSpool } from "../../collector/spool/files.ts";
import type { BufferedBatch } from "../../edge/buffer/buffer.ts";
import { systemClock } from "../../shared/clock.ts";
import { toHex } from "../../shared/event/bytes.ts";
import type { Log, LogProducer, LogReader } from "../../shared/log/log.ts";
import { openLog } from "../../shared/log/open.ts";
import { silentLogger } from "../../shared/logger.ts";
import { silentMeter } from "../../shared/meter.ts";
import { unpackRecord } from "../../shared/wire/record.ts";
import { createSigner, signatureHeader } from "../../shared/wire/signature.ts";
import { until } from "../support/until.ts";
import { noon, recordOf } from "./records.ts";
import { closeScene, openScene } from "./scene.ts";

const batchOf = (value: Uint8Array): BufferedBatch => {
  const { batch } = unpackRecord(value);
  const { project, receivedAt: received_at, count: events } = batch;
  return { batch_id: toHex(batch.batchId), project, received_at, events, refused: null };
};

// An edge's answer in pages of so many batches, to who signs.
async function edgeWith(batches: readonly BufferedBatch[], page: number) {
  const signer = await createSigner(["a secret of the test"]);
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      try {
        await signer.verify(request.headers.get(signatureHeader), new Uint8Array(), Date.now());
      } catch {
        return new Response(null, { status: 401 });
      }
      if (pathname !== "/v1/buffer/batches") return new Response(null, { status: 404 });
      const from = Number(searchParams.get("cursor") ?? 0);
      const next = from + page;
      const cursor = next < batches.length ? String(next) : null;
      return Response.json({ data: batches.slice(from, next), cursor });
    },
  });
  return { url: server.url.origin, close: () => server.stop(true) };
}

const hour = 3_600_000;
const minutes = 60_000;

describe("reconcile", () => {
  let folder: string;
  let store: Store;
  let log: Log;
  let producer: LogProducer;
  let reader: LogReader;
  let running: Consume[] = [];
  const scenes = mkdtempSync(join(tmpdir(), "weir-reconcile-"));
  beforeAll(async () => {
    store = await openScene(`embedded:${scenes}/postgres`);
  }, minutes);
  afterAll(async () => {
    await closeScene(store);
    rmSync(scenes, { recursive: true, force: true });
  });
  beforeEach(async () => {
    folder = mkdtempSync(join(scenes, "case-"));
    await store.sql`truncate events, ledger, ledger_retransmissions, log_positions, log_holes, fresh_events, stale_days`;
    log = await openLog(`sqlite:${folder}/log.sqlite`, { topic: "events", partitions: 2, allowWeak: true });
    await log.create();
    producer = await log.producer();
    reader = await log.reader();
    running = [];
  });
  afterEach(async () => {
    for (const one of running) await one.close();
    await producer.close();
    await reader.close();
  });

  const spoolDir = (): string => join(folder, "spool");
  const record = (number: number, lowestOpen = 0, more: { project?: string; receivedAt?: number } = {}) =>
    recordOf([{ name: `a-${number}` }, { name: `b-${number}` }], {
      receipt: { collector: "c", start: 1, number, lowestOpen },
      ...more,
    });
  const publish = (partition: number, value: Uint8Array): Promise<unknown> =>
    producer.publish(partition, value);
  const spool = async (...records: Uint8Array[]): Promise<void> => {
    const open = openFileSpool({ dir: spoolDir(), bytesMax: 1e8, name: "c", logger: silentLogger });
    for (const [at, value] of records.entries()) {
      await open.append({ partition: at % 2, events: 2, time: noon, record: value });
    }
    await open.close();
  };
  const written = async (): Promise<void> => {
    const options = { clock: systemClock, meter: silentMeter, logger: silentLogger };
    running.push(await startConsume({ store, consumer: await log.consumer("g"), ...options }));
    await until("everything is written", 10_000, async () => {
      const { in_flight } = await reconcile({ store, reader });
      return in_flight === 0;
    });
  };
  const prove = (spools: readonly string[] = [spoolDir()]) => reconcile({ store, reader, spools });

  it("counts what is spooled as received and in flight", async () => {
    await publish(0, record(0));
    await spool(record(1), record(2));
    await written();
    expect(await prove()).toMatchObject({ ok: true, received: 6, stored: 2, in_flight: 4, lost: 0 });
  });

  it("counts a batch once that lies in spool, log and store", async () => {
    const [first, second] = [record(0), record(1)];
    await spool(first, second);
    await publish(0, first);
    await written();
    await publish(1, second);
    await running[0]!.close();
    expect(await prove()).toMatchObject({ ok: true, received: 4, lost: 0 });
  });

  it("misses no record that a spool holds, and misses it once the spool is gone", async () => {
    await publish(0, record(0));
    await publish(1, record(2, 2));
    await spool(record(1));
    await written();
    expect(await prove()).toMatchObject({ ok: true, lost: 0, in_flight: 2 });
    expect(await prove([])).toMatchObject({ ok: false, lost: 1, in_flight: 0 });
  });

  it("never takes a spool for empty that it cannot look into", async () => {
    const answer = await prove([join(folder, "nowhere")]);
    expect(answer).toMatchObject({ ok: false, unreadable: 1 });
    expect(answer.unreadable_spools[0]).toContain("nowhere");
    mkdirSync(spoolDir());
    writeFileSync(
      join(spoolDir(), "000000000001.spool"),
      "no frame at all, and more than a header's worth of it",
    );
    writeFileSync(join(spoolDir(), "000000000002.spool"), "");
    expect(await prove()).toMatchObject({ ok: false, unreadable: 1 });
  });

  it("counts what edges hold as received and in flight, each batch once wherever it is", async () => {
    const [first, second, third] = [record(0), record(1), record(2)];
    await publish(0, first);
    await spool(second);
    await written();
    const edge = await edgeWith([first, second, third].map(batchOf), 2);
    try {
      const buffers = { edges: [edge.url], secrets: ["a secret of the test"] };
      const proved = await reconcile({ store, reader, spools: [spoolDir()], buffers });
      expect(proved).toMatchObject({ ok: true, received: 6, stored: 2, in_flight: 4, unreadable: 0 });
      const refused = await edgeWith([{ ...batchOf(third), refused: "batch_too_old" }], 5);
      const stuck = await reconcile({ store, reader, buffers: { ...buffers, edges: [refused.url] } });
      await refused.close();
      expect(stuck).toMatchObject({ ok: false, in_flight: 2, unreadable: 1 });
      expect(stuck.unreadable_spools[0]).toContain("1 batches that the collector refused");
    } finally {
      await edge.close();
    }
  });

  it("never takes an edge's buffer for empty that it cannot ask", async () => {
    const ask = (secrets: readonly string[], url: string) =>
      reconcile({ store, reader, buffers: { edges: [url], secrets } });
    const edge = await edgeWith([], 5);
    expect(await ask(["another secret"], edge.url)).toMatchObject({ ok: false, unreadable: 1 });
    expect((await ask([], edge.url)).unreadable_spools[0]).toContain("WEIR_EDGE_SECRET");
    await edge.close();
    expect(await ask(["a secret of the test"], edge.url)).toMatchObject({ ok: false, unreadable: 1 });
  });

  it("adds up by project and by hour, with what waits", async () => {
    await publish(0, record(0, 0, { project: "p", receivedAt: noon }));
    await publish(0, record(1, 0, { project: "q", receivedAt: noon + hour }));
    await spool(record(2, 0, { project: "q", receivedAt: noon + 2 * hour }));
    await written();
    const by = async (asked: Record<string, string>) =>
      (await reconcile({ store, reader, spools: [spoolDir()], asked: ledgerParameters.parse(asked) })).groups;
    expect(await by({ by: "project" })).toMatchObject([
      { project: "p", received: 2, stored: 2, in_flight: 0 },
      { project: "q", received: 4, stored: 2, in_flight: 2 },
    ]);
    expect(await by({ by: "hour", project: "q" })).toMatchObject([
      { hour: new Date(noon + hour).toISOString().replace(".000", ""), received: 2, in_flight: 0 },
      { hour: new Date(noon + 2 * hour).toISOString().replace(".000", ""), received: 2, in_flight: 2 },
    ]);
    expect(await by({ from: new Date(noon + hour).toISOString() })).toMatchObject([
      { received: 4, in_flight: 2 },
    ]);
  });
});
