// What an edge of its own stands on, in the test's process: keys, and a collector that keeps every batch.
import { toHex } from "../../shared/event/bytes.ts";
import { webCryptoHash } from "../../shared/event/hash.ts";
import { type Batch, outcome, unpackBatch } from "../../shared/wire/batch.ts";
import { pack } from "../../shared/wire/msgpack.ts";
import { createSigner, signatureHeader } from "../../shared/wire/signature.ts";

export const secret = "a secret of the test";
export const writeKey = "wk_runtime";

export interface Upstream {
  /** Keys and batches alike are asked for here; it stays the same while the collector is down. */
  url: string;
  /** Batches as they came, resends too. */
  batches: Batch[];
  /** How often the keys were asked for. */
  asked: number;
  /** True answers every batch 503, and keeps none. */
  isDown: boolean;
  /** Batches that were answered so. */
  turnedAway: number;
  /** What an edge needs to stand on it. */
  settings: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Listens; batches must be signed, and an identity hash that came before is answered as a duplicate. */
export async function startUpstream(): Promise<Upstream> {
  const signer = await createSigner([secret]);
  const keys = [{ hash: toHex(await webCryptoHash([writeKey])), project: "shop", rights: [] }];
  const seen = new Map<string, string>();
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 120, fetch: answer });
  const url = server.url.origin;
  const upstream: Upstream = {
    url,
    batches: [],
    asked: 0,
    isDown: false,
    turnedAway: 0,
    settings: {
      WEIR_COLLECTOR_URL: url,
      WEIR_KEYS_URL: url,
      WEIR_EDGE_SECRET: secret,
      WEIR_CANARY_SECONDS: "0",
    },
    close: async () => server.stop(true),
  };
  return upstream;

  async function answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    if (pathname === "/readyz") return new Response("ok", { status: upstream.isDown ? 503 : 200 });
    const body = new Uint8Array(await request.arrayBuffer());
    // What a benchmark's plain handler passes on is only taken.
    if (pathname === "/plain") {
      const { events } = JSON.parse(new TextDecoder().decode(body)) as { events: unknown[] };
      return Response.json({ accepted: events.length }, { status: 202 });
    }
    await signer.verify(request.headers.get(signatureHeader), body, Date.now());
    if (pathname === "/v1/keys") {
      upstream.asked += 1;
      return Response.json({ keys });
    }
    if (upstream.isDown) {
      upstream.turnedAway += 1;
      return new Response("down", { status: 503 });
    }
    const batch = unpackBatch(body);
    upstream.batches.push(batch);
    return new Response(pack([batch.batchId, outcomesOf(batch)]) as BodyInit);
  }

  function outcomesOf(batch: Batch): Uint8Array {
    const refused = new Set(batch.refusals.map(({ index }) => index));
    const id = toHex(batch.batchId);
    return Uint8Array.from({ length: batch.count }, (_, index) => {
      if (refused.has(index)) return outcome.refused;
      const key = toHex(batch.hashes.subarray(index * 16, index * 16 + 16));
      const first = seen.get(key) ?? id;
      seen.set(key, first);
      return first === id ? outcome.published : outcome.duplicate;
    });
  }
}
