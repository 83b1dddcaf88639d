// Exports of Segment and PostHog, imported by the same mapping as their clients' requests: the same events.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createAccept } from "../../../edge/accept.ts";
import { type ImportOptions, importFile } from "../../../edge/command/import.ts";
import { systemClock } from "../../../shared/clock.ts";
import { toHex } from "../../../shared/event/bytes.ts";
import type { EventFields } from "../../../shared/event/event.ts";
import { webCryptoHash } from "../../../shared/event/hash.ts";
import { silentLogger } from "../../../shared/logger.ts";
import { silentMeter } from "../../../shared/meter.ts";
import type { Batch } from "../../../shared/wire/batch.ts";
import { recordingCollector } from "../command/recording-collector.ts";
import { bodiesOf, now, testEdge } from "../support.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "weir-import-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function imported(name: string, content: string | Uint8Array, options: Partial<ImportOptions>) {
  const file = join(folder, name);
  writeFileSync(file, content);
  const collector = recordingCollector();
  const batches: Batch[] = [];
  const watched = {
    ...collector,
    send: (batch: Batch) => {
      batches.push(batch);
      return collector.send(batch);
    },
  };
  const deps = { clock: systemClock, hash: webCryptoHash, meter: silentMeter, logger: silentLogger };
  const accept = createAccept({ name: "import", collector: watched, ...deps });
  const rest = { project: "shop", logId: "log", dataDir: folder, clock: systemClock, isTerminal: false };
  const run = () =>
    importFile(file, { map: [], ...options }, { accept, outcomesOf: collector.outcomesOf, ...rest });
  const first = await run();
  const again = await run();
  return { first, again, batches, events: batches.slice(0, 1).flatMap(bodiesOf) as EventFields[] };
}

const lines = (values: readonly unknown[]): string =>
  values.map((value) => `${JSON.stringify(value)}\n`).join("");
const hashesOf = ({ hashes, count }: Batch): string[] =>
  Array.from({ length: count }, (_, at) => toHex(hashes.subarray(at * 16, at * 16 + 16)));

describe("an export of Segment's", () => {
  const live = [
    {
      type: "track",
      event: "bought",
      messageId: "m-1",
      userId: "ada",
      timestamp: new Date(now - 5).toISOString(),
    },
    {
      type: "identify",
      messageId: "m-2",
      userId: "ada",
      anonymousId: "v1",
      timestamp: new Date(now - 4).toISOString(),
    },
  ];
  const exported = live.map((event) => ({
    ...event,
    originalTimestamp: event.timestamp,
    ...{ timestamp: new Date(now + 99).toISOString(), receivedAt: new Date(now + 99).toISOString() },
    ...{
      sentAt: new Date(now + 98).toISOString(),
      projectId: "p",
      writeKey: "k",
      channel: "server",
      version: 2,
    },
  }));

  it("holds the events that its clients sent, under the same ids and times", async () => {
    const old = { ...exported[0], messageId: "m-0", originalTimestamp: "2012-05-01T00:00:00Z" };
    const bad = { ...exported[0], type: "charge" };
    const { first, again, batches, events } = await imported(
      "raw.ndjson.gz",
      gzipSync(lines([...exported, old, bad])),
      {
        dialect: "segment",
      },
    );
    expect(first).toMatchObject({ received: 4, stored: 3, quarantined: 1, ok: true });
    expect(again).toMatchObject({ stored: 0, duplicate: 4, ok: true });
    expect(events).toMatchObject([
      { type: "bought", userId: "ada", clientTime: now - 5, clockOffsetMs: null },
      { type: "identify", anonymousId: "v1" },
      { clientTime: Date.UTC(2012, 4) },
      {},
    ]);
    expect(batches[0]!.refusals).toMatchObject([
      { index: 3, code: "invalid_value", origin: { dialect: "segment" } },
    ]);
    const edge = await testEdge();
    await edge.post({ batch: live }, {}, "/v1/batch");
    const sent = edge.collector.batches[0]!;
    expect(hashesOf(batches[0]!).slice(0, 2)).toEqual(hashesOf(sent));
    expect(batches[0]!.ids.slice(0, 32)).toEqual(sent.ids);
  });
});

describe("an export of PostHog's", () => {
  const properties = {
    distinct_id: "ada",
    $user_id: "ada",
    $device_id: "v1",
    $is_identified: true,
    revenue: 2,
  };
  const live = { uuid: "p-1", event: "bought", properties, timestamp: new Date(now - 5).toISOString() };
  const row = { ...live, distinct_id: "ada", team_id: 2, ip: "203.0.113.9", elements_chain: "" };

  it.each<[string, string, Partial<ImportOptions>]>([
    ["events.ndjson", lines([row]), {}],
    ["events.json", JSON.stringify([row]), {}],
    ["batch.jsonl", lines([{ ...row, properties: JSON.stringify(properties) }]), {}],
    [
      "events.csv",
      `uuid,event,properties,timestamp,distinct_id\np-1,bought,"${JSON.stringify(properties).replaceAll('"', '""')}",${new Date(now - 5).toISOString().slice(0, -1).replace("T", " ")},ada\n`,
      { zone: "UTC" },
    ],
  ])("holds the events that its clients sent: %s", async (name, content, options) => {
    const { first, again, batches, events } = await imported(name, content, {
      dialect: "posthog",
      ...options,
    });
    expect([first, again]).toMatchObject([
      { stored: 1, ok: true },
      { duplicate: 1, ok: true },
    ]);
    expect(events).toMatchObject([
      {
        type: "bought",
        userId: "ada",
        anonymousId: "v1",
        clientTime: now - 5,
        payload: '{"revenue":2}',
        revenue: "2",
      },
    ]);
    const edge = await testEdge();
    await edge.post(live, {}, "/e/");
    expect(hashesOf(batches[0]!)).toEqual(hashesOf(edge.collector.batches[0]!));
    expect(batches[0]!.ids).toEqual(edge.collector.batches[0]!.ids);
  });

  it("keeps a number that no double holds, inside a text too", async () => {
    const broken = { ...row, properties: '{"a":[12345678901234567890]}' };
    const { first, batches } = await imported("events.ndjson", lines([row, broken]), { dialect: "posthog" });
    expect(first).toMatchObject({ stored: 1, quarantined: 1, ok: true });
    expect(batches[0]!.refusals).toMatchObject([
      { index: 1, code: "number_not_representable", pointer: "/properties/a/0" },
    ]);
  });
});
