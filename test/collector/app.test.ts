// The collector over HTTP: what it takes, and the problem it answers for everything else.
import { afterEach, describe, expect, it } from "vitest";
import { createMemoryClaims } from "../../collector/claims/memory.ts";
import { type RunningCollector, startCollector } from "../../collector/main.ts";
import { batchAgeMs, recordBytesMax, signatureAgeMs } from "../../shared/limits.ts";
import { silentLogger } from "../../shared/logger.ts";
import type { Problem } from "../../shared/problem.ts";
import { createPrometheus } from "../../shared/telemetry/prometheus.ts";
import { outcome, packBatch } from "../../shared/wire/batch.ts";
import { pack, unpack } from "../../shared/wire/msgpack.ts";
import { createSigner, signatureHeader } from "../../shared/wire/signature.ts";
import { manualClock } from "../support/clock.ts";
import { batchOf, fakeLog } from "./batches.ts";

const secret = "secret-of-the-test";
const running: RunningCollector[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((collector) => collector.close()));
});

async function listening() {
  const clock = manualClock();
  const log = fakeLog();
  const { meter, exposition } = createPrometheus({ onFault: "throw" });
  const collector = await startCollector({
    config: {
      WEIR_HOST: "127.0.0.1",
      WEIR_COLLECTOR_PORT: 0,
      WEIR_COLLECTOR_NAME: "west",
      WEIR_SPOOL_BYTES_MAX: 16_777_216,
      WEIR_EDGE_SECRET: [secret, "secret-of-before"],
    },
    producer: log.producer,
    claims: createMemoryClaims({ clock }),
    clock,
    meter,
    logger: silentLogger,
    exposition,
  });
  running.push(collector);
  const signer = await createSigner([secret]);
  const post = async (
    body: Uint8Array,
    more: { signature?: string | null; headers?: Record<string, string> } = {},
  ): Promise<Response> => {
    const signature = more.signature === undefined ? await signer.sign(body, clock.now()) : more.signature;
    return fetch(`${collector.url}/v1/batches`, {
      method: "POST",
      body: body as Uint8Array<ArrayBuffer>,
      headers: { ...(signature === null ? {} : { [signatureHeader]: signature }), ...more.headers },
    });
  };
  return { clock, log, collector, signer, post };
}

const batch = batchOf(1, [{ identity: 1 }, { identity: 2, refused: "invalid_type" }, { identity: 3 }]);
const body = packBatch(batch);

async function problemOf(response: Response): Promise<[number, string, boolean]> {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const problem = (await response.json()) as Problem;
  expect(problem.status).toBe(response.status);
  if (response.status === 503) expect(response.headers.get("retry-after")).toMatch(/^[1-9]/);
  return [response.status, problem.code, problem.retryable];
}

describe("a signed batch", () => {
  it("is answered with its id and its outcomes once the log has it", async () => {
    const { log, post } = await listening();
    const response = await post(body);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/msgpack");
    const [batchId, outcomes] = unpack(new Uint8Array(await response.arrayBuffer())) as Uint8Array[];
    expect(Buffer.from(batchId!)).toEqual(Buffer.from(batch.batchId));
    expect([...outcomes!]).toEqual([outcome.published, outcome.refused, outcome.published]);
    expect(log.records).toHaveLength(1);
    expect(log.records[0]?.record.receipt.collector).toBe("west");
  });

  it("is taken with an older secret that is still listed", async () => {
    const { clock, post } = await listening();
    const older = await createSigner(["secret-of-before"]);
    expect((await post(body, { signature: await older.sign(body, clock.now()) })).status).toBe(200);
  });

  it("is answered 503 while the log does not take it", async () => {
    const { log, post } = await listening();
    log.fail("not_stored");
    expect(await problemOf(await post(body))).toEqual([503, "log_unavailable", true]);
    log.fail("unknown");
    expect(await problemOf(await post(body))).toEqual([503, "log_unavailable", true]);
  });
});

describe("refused is a batch", () => {
  it.each([
    ["without a signature", null],
    ["with a signature that cannot be read", "t=now,v1=00"],
  ])("%s", async (_, signature) => {
    const { log, post } = await listening();
    expect(await problemOf(await post(body, { signature }))).toEqual([401, "signature_invalid", false]);
    expect(log.records).toEqual([]);
  });

  it("of another secret", async () => {
    const { clock, post } = await listening();
    const stranger = await createSigner(["another-secret"]);
    const signature = await stranger.sign(body, clock.now());
    expect(await problemOf(await post(body, { signature }))).toEqual([401, "signature_invalid", false]);
  });

  it("with one bit changed on the way, whichever", async () => {
    const { clock, signer, post } = await listening();
    const signature = await signer.sign(body, clock.now());
    for (const at of [0, 5, body.length >> 1, body.length - 1]) {
      const tampered = new Uint8Array(body);
      tampered[at] = tampered[at]! ^ 1;
      expect(await problemOf(await post(tampered, { signature }))).toEqual([401, "signature_invalid", false]);
    }
    expect((await post(body, { signature })).status).toBe(200);
  });

  it("whose signature is too old, or from ahead of this clock", async () => {
    const { clock, signer, post } = await listening();
    for (const away of [-signatureAgeMs - 1, signatureAgeMs + 1]) {
      const signature = await signer.sign(body, clock.now() + away);
      expect(await problemOf(await post(body, { signature }))).toEqual([401, "signature_expired", true]);
    }
    const signature = await signer.sign(body, clock.now() - signatureAgeMs);
    expect((await post(body, { signature })).status).toBe(200);
  });

  it("that was held back for so long that its id may be forgotten", async () => {
    const { clock, post } = await listening();
    const heldSince = (receivedAt: number) => packBatch({ ...batch, receivedAt });
    expect(await problemOf(await post(heldSince(clock.now() - batchAgeMs - 1)))).toEqual([
      410,
      "batch_too_old",
      false,
    ]);
    expect((await post(heldSince(clock.now() - batchAgeMs))).status).toBe(200);
  });

  it("of a later version, so that it is sent again to a newer collector", async () => {
    const { post } = await listening();
    const later = pack([2, "anything", "at all"]);
    expect(await problemOf(await post(later))).toEqual([503, "batch_version_unknown", true]);
  });

  it.each([
    ["cut off", body.subarray(0, body.length - 7)],
    ["with bytes left over", Buffer.concat([body, Uint8Array.of(0)])],
    ["empty", new Uint8Array()],
    ["no msgpack", new TextEncoder().encode('{"events":[]}')],
    ["of no version", pack(["1", "2"])],
    ["of version 0", pack([0])],
    ["with a column too short", packBatch({ ...batch, hashes: batch.hashes.subarray(1) })],
    ["with sizes that are not its bodies'", packBatch({ ...batch, sizes: [1, 2, 3] })],
    [
      "of 501 events",
      packBatch(
        batchOf(
          1,
          Array.from({ length: 501 }, (_, identity) => ({ identity })),
        ),
      ),
    ],
  ])("%s", async (_, bytes) => {
    const { log, post } = await listening();
    expect(await problemOf(await post(bytes))).toEqual([400, "batch_malformed", false]);
    expect(log.records).toEqual([]);
  });

  it("over the limit, by the length it states", async () => {
    const { post } = await listening();
    const large = new Uint8Array(recordBytesMax + 1);
    expect(await problemOf(await post(large, { signature: null }))).toEqual([413, "body_too_large", false]);
  });

  it("over the limit, without a stated length, before its end has come", async () => {
    const { collector } = await listening();
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      async pull(controller) {
        sent += 65_536;
        if (sent > 64 * recordBytesMax) controller.close();
        else controller.enqueue(new Uint8Array(65_536));
      },
    });
    const response = await fetch(`${collector.url}/v1/batches`, { method: "POST", body: endless });
    expect(await problemOf(response)).toEqual([413, "body_too_large", false]);
    expect(sent).toBeLessThan(64 * recordBytesMax);
  });
});

describe("the routes", () => {
  it("tell the process, its readiness and its measures", async () => {
    const { collector, post } = await listening();
    await post(body);
    expect(await (await fetch(`${collector.url}/livez`)).text()).toBe("ok\n");
    expect(await (await fetch(`${collector.url}/readyz`)).text()).toBe("ok\n");
    const metrics = await (await fetch(`${collector.url}/metrics`)).text();
    expect(metrics).toContain('weir_collector_events_total{weir_outcome="published"} 2');
    expect(metrics).toContain('weir_collector_events_total{weir_outcome="refused"} 1');
    expect(metrics).toContain('weir_collector_batches_total{weir_code="ok"} 1');
    expect(metrics).toContain("weir_claims_up 1");
    expect(metrics).toContain("weir_log_up 1");
  });

  it("answer a problem for every other path and method", async () => {
    const { collector } = await listening();
    const refused = await fetch(`${collector.url}/v1/batches`);
    expect(refused.headers.get("allow")).toBe("POST");
    expect(await problemOf(refused)).toEqual([405, "method_not_allowed", false]);
    expect(await problemOf(await fetch(`${collector.url}/nowhere`))).toEqual([404, "not_found", false]);
  });

  it("name the request in a problem, and nothing that is no name", async () => {
    const { post } = await listening();
    const named = await post(body, { signature: null, headers: { "x-request-id": "abc-1" } });
    expect(((await named.json()) as Problem).instance).toBe("abc-1");
    const wild = await post(body, { signature: null, headers: { "x-request-id": "<script>" } });
    expect(((await wild.json()) as Problem).instance).toBeUndefined();
  });
});
