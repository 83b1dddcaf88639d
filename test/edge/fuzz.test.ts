// Whatever bytes come in, the answer is 202 or a problem, never a crash and never `internal`.
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { pack } from "../../shared/wire/msgpack.ts";
import { bodiesOf, type TestEdge, testEdge } from "./support.ts";

const seed = Number(process.env["WEIR_TEST_SEED"] ?? Date.now() % 1_000_000);
const runs = 400;

/** Repeatable randomness: xorshift, whole numbers below `limit`. */
function randomOf(start: number): (limit: number) => number {
  let state = start >>> 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}
const random = randomOf(seed);
const pick = <T>(items: readonly T[]): T => items[random(items.length)]!;

const scalars = [
  null,
  true,
  0,
  -1,
  1.5,
  1e21,
  2 ** 53,
  "",
  "a",
  "\0",
  "\ud800",
  "😀",
  "x".repeat(300),
  "2026-11-20T12:00:00Z",
  "2026-11-20T12:00:00",
  "__proto__",
  "12.5",
  1_795_176_000_000,
];
const names = [
  "type",
  "event_id",
  "user_id",
  "timestamp",
  "payload",
  "context",
  "metadata",
  "seq",
  "stream_id",
  "version",
  "sent_at",
  "events",
  "write_key",
  "country",
  "revenue",
  "currency",
  "event_type",
  "client_timestamp",
  "__proto__",
  "1",
  "é",
  "a/b~c",
  "\0",
];

function anyValue(depth: number): unknown {
  const kind = random(depth > 5 ? 1 : 4);
  if (kind <= 1) return pick(scalars);
  const size = random(4);
  if (kind === 2) return Array.from({ length: size }, () => anyValue(depth + 1));
  return Object.fromEntries(Array.from({ length: size + 1 }, () => [pick(names), anyValue(depth + 1)]));
}

const eventLike = (): unknown => ({
  type: "t",
  ...Object.fromEntries(Array.from({ length: random(6) }, () => [pick(names), anyValue(1)])),
});

function mutated(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  for (let change = random(4); change > 0 && copy.length > 0; change -= 1) {
    const at = random(copy.length);
    const kind = random(3);
    if (kind === 0) copy[at] = random(256);
    else if (kind === 1) copy.copyWithin(at, random(copy.length));
    else return copy.subarray(0, at);
  }
  return copy;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function body(): { bytes: Uint8Array; type: string } {
  const events = Array.from({ length: 1 + random(4) }, eventLike);
  const value = pick<() => unknown>([
    () => events,
    () => ({ events, sent_at: anyValue(6) }),
    () => events[0],
    () => anyValue(0),
  ])();
  switch (random(6)) {
    case 0:
      return { bytes: Uint8Array.from({ length: random(200) }, () => random(256)), type: pick(types) };
    case 1:
      return { bytes: pack(value), type: "application/msgpack" };
    case 2:
      return { bytes: mutated(pack(value)), type: "application/msgpack" };
    case 3:
      return {
        bytes: bytesOf(events.map((event) => JSON.stringify(event)).join("\n")),
        type: "application/x-ndjson",
      };
    case 4:
      return { bytes: mutated(bytesOf(JSON.stringify(value))), type: pick(types) };
    default:
      return { bytes: bytesOf(JSON.stringify(value)), type: "application/json" };
  }
}
const types = ["application/json", "application/x-ndjson", "application/msgpack", "text/plain"];

async function check(edge: TestEdge, bytes: Uint8Array, type: string): Promise<void> {
  const isPacked = random(5) === 0;
  const sent = isPacked ? mutated(new Uint8Array(gzipSync(bytes))) : bytes;
  const before = edge.collector.batches.length;
  const path = pick(["/v1/events", "/v1/growth-events"]);
  const response = await edge.post(
    sent,
    { "content-type": type, ...(isPacked ? { "content-encoding": "gzip" } : {}) },
    path,
  );
  const answer = (await response.json()) as Record<string, unknown>;
  const batches = edge.collector.batches.slice(before);
  if (response.status !== 202) {
    expect([400, 401, 413]).toContain(response.status);
    expect(answer["code"]).not.toBe("internal");
    expect(batches).toEqual([]);
    return;
  }
  expect(batches).toHaveLength(1);
  const { count, refusals, hashes } = batches[0]!;
  const sum =
    (answer["accepted"] as number) + (answer["duplicate"] as number) + (answer["quarantined"] as number);
  expect([answer["received"], sum, answer["quarantined"]]).toEqual([count, count, refusals.length]);
  for (const stored of bodiesOf(batches[0]!)) {
    // What is stored must be what PostgreSQL takes: no NUL, nothing but whole code points, jsonb in the texts.
    if (typeof stored === "string") continue;
    for (const value of Object.values(stored)) {
      if (typeof value === "string") expect(value.isWellFormed() && !value.includes("\0")).toBe(true);
    }
    for (const text of [stored.payload, stored.context, stored.metadata]) {
      expect(JSON.stringify(JSON.parse(text))).not.toMatch(/(?<!\\)(\\\\)*\\u(0000|d[89a-f])/i);
    }
  }
  for (let index = 0; index < count; index += 1) {
    expect(hashes.subarray(index * 16, index * 16 + 16).some((byte) => byte !== 0)).toBe(true);
  }
}

describe(`any body (WEIR_TEST_SEED=${seed} repeats it)`, () => {
  it("is answered by 202 or a problem, and never hurts the edge", async () => {
    const edge = await testEdge();
    for (let run = 0; run < runs; run += 1) {
      const { bytes, type } = body();
      try {
        await check(edge, bytes, type);
      } catch (error) {
        throw new Error(`run ${run}, ${type}: ${JSON.stringify(new TextDecoder().decode(bytes))}`, {
          cause: error,
        });
      }
    }
  });
});
