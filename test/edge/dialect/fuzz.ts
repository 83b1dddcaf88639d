// What every decoder is held to, whatever comes in: no crash, no `internal`, and an outcome for each event.
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect } from "vitest";
import { decodeOriginal } from "../../../edge/decode-original.ts";
import { dialectNamed } from "../../../edge/dialect/doors.ts";
import { EventFault } from "../../../edge/fault.ts";
import { fixedKeys } from "../../../edge/keys.ts";
import { normalise } from "../../../edge/normalise.ts";
import { aliasText } from "../../../shared/event/write-key.ts";
import type { Batch } from "../../../shared/wire/batch.ts";
import type { RefusalOrigin } from "../../../shared/wire/refusal.ts";
import { bodiesOf, keyOf, now, testEdge, writeKey } from "../support.ts";

/** A request as a client could send it. */
export interface Sent {
  method?: "GET" | "POST";
  /** With its query. */
  path: string;
  headers?: Record<string, string>;
  body?: Uint8Array | string;
}

const runs = process.env["WEIR_TEST_LONG"] === undefined ? 5_000 : 100_000;
const seed = Number(process.env["WEIR_TEST_SEED"] ?? Date.now() % 1_000_000_000);

/** Time enough for the runs. */
export const fuzzMs: number = 60 * 60_000;

/**
 * Sends many requests to an edge. `isTaken` tells a client's "all of it is safe" from its refusals; nothing
 * that is refused may have reached the collector. `aliases` are known as keys beside the test's own.
 */
export async function fuzz(
  title: string,
  sent: fc.Arbitrary<Sent>,
  isTaken: (status: number) => boolean,
  refusals: readonly number[],
  aliases: readonly string[] = [],
): Promise<void> {
  const keys = fixedKeys(await Promise.all([writeKey, ...aliases.map(aliasText)].map((name) => keyOf(name))));
  const edge = await testEdge({ keys });
  const tally = { requests: 0, refused: 0, events: 0, quarantined: 0 };
  await fc.assert(
    fc.asyncProperty(sent, async ({ method = "POST", path, headers = {}, body = "" }) => {
      edge.collector.batches.length = 0;
      const response = await edge.app.request(`http://127.0.0.1${path}`, {
        method,
        headers: { authorization: `Bearer ${writeKey}`, ...headers },
        ...(method === "POST" ? { body: body as BodyInit } : {}),
      });
      const answer = await response.text();
      expect(answer).not.toContain("internal");
      tally.requests += 1;
      if (!isTaken(response.status)) {
        tally.refused += 1;
        expect(refusals).toContain(response.status);
        expect(edge.collector.batches).toEqual([]);
        return;
      }
      for (const batch of edge.collector.batches) {
        tally.events += batch.count;
        tally.quarantined += batch.refusals.length;
        checkBatch(batch);
      }
    }),
    { numRuns: runs, seed },
  );
  // Runs that all end at one place prove nothing about the others.
  expect(tally.events - tally.quarantined).toBeGreaterThan(runs / 100);
  expect(tally.quarantined).toBeGreaterThan(runs / 100);
  console.info(`any input to ${title}: ${JSON.stringify(tally)}`);
}

function checkBatch(batch: Batch): void {
  const bodies = bodiesOf(batch);
  expect(bodies).toHaveLength(batch.count);
  for (const [index, body] of bodies.entries()) {
    expect(batch.hashes.subarray(index * 16, index * 16 + 16).some((byte) => byte !== 0)).toBe(true);
    if (typeof body === "string") continue;
    // What is stored must be what PostgreSQL takes: no NUL, nothing but whole code points, jsonb in the texts.
    for (const value of Object.values(body)) {
      if (typeof value === "string") expect(value.isWellFormed() && !value.includes("\0")).toBe(true);
    }
    for (const text of [body.payload, body.context, body.metadata]) {
      expect(JSON.stringify(JSON.parse(text))).not.toMatch(/(?<!\\)(\\\\)*\\u(0000|d[89a-f])/i);
    }
  }
  const starts = [0];
  for (const size of batch.sizes) starts.push(starts.at(-1)! + size);
  for (const refusal of batch.refusals) {
    const { index, code, origin } = refusal;
    const bytes = batch.bodies.slice(starts[index], starts[index + 1]);
    expect([code, judged(bytes, origin!)]).toEqual([code, code]);
  }
}

/** Why what is kept of a refused event is refused when it is looked at again by itself: for the same reason. */
export function judged(bytes: Uint8Array, origin: RefusalOrigin): string {
  const { event, fault, suspectText } = decodeOriginal(bytes);
  const found =
    fault ??
    normalise(event, {
      project: "shop",
      dialect: dialectNamed(origin.dialect),
      identity: undefined,
      historical: false,
      receivedAt: now,
      sentAt: origin.sentAt ?? undefined,
      suspectText,
      requestId: undefined,
      traceId: undefined,
    });
  return found instanceof EventFault ? found.code : "accepted";
}

const texts = [
  "",
  "a",
  "\0",
  "\ud800",
  "😀",
  "x".repeat(300),
  "__proto__",
  "2026-11-20T12:00:00",
  "12.5",
  "%zz",
];
const numbers = [0, -1, 1.5, 1e21, 2 ** 53, 1_795_176_000_000, Number.MAX_VALUE];

/** A JSON value that knows the members a format has. */
export function jsonWith(names: readonly string[]): fc.Arbitrary<unknown> {
  const name = fc.oneof(fc.constantFrom(...names, "__proto__", "1", "a/b~c"), fc.string({ maxLength: 4 }));
  const leaf = fc.oneof(
    fc.constantFrom<unknown>(null, true, false, "2026-11-20T12:00:00Z", ...texts, ...numbers),
    fc.string({ maxLength: 8, unit: "binary" }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
  );
  return fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, depthSize: "small", withCrossShrink: true },
      leaf,
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(name, tie("value"), { maxKeys: 4 }),
    ),
  })).value;
}

/** An object of `base` with some of its members changed, left out or added. */
export const changed = (base: Record<string, unknown>, names: readonly string[]): fc.Arbitrary<unknown> =>
  fc
    .tuple(
      fc.oneof(
        { weight: 3, arbitrary: fc.constant(Object.keys(base)) },
        { weight: 1, arbitrary: fc.subarray(Object.keys(base)) },
      ),
      fc.dictionary(fc.constantFrom(...names, ...Object.keys(base)), jsonWith(names), { maxKeys: 3 }),
    )
    .map(([kept, put]) => ({ ...Object.fromEntries(kept.map((key) => [key, base[key]])), ...put }));

/** Bytes of a text, or such with a few of them spoilt or cut off, packed or not. */
export const bytesOf = (text: fc.Arbitrary<string>): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(
      text.map((plain) => new TextEncoder().encode(plain)),
      fc.oneof(
        { weight: 3, arbitrary: fc.constant([]) },
        { weight: 1, arbitrary: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }) },
      ),
      fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat() }),
      fc.oneof({ weight: 8, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    )
    .map(([plain, spoils, cut, isPacked]) => {
      const bytes = plain.slice(0, cut === 0 ? plain.length : cut % (plain.length + 1));
      for (const [at, byte] of spoils) if (bytes.length > 0) bytes[at % bytes.length] = byte;
      return isPacked ? new Uint8Array(gzipSync(bytes)) : bytes;
    });
