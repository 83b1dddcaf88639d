// The batch and the record on the wire: what is packed is read back, and what was tampered with is refused.
import { describe, expect, it } from "vitest";
import { type RefusalCode, WeirError } from "../../../shared/problem.ts";
import {
  type Batch,
  batchPlaces,
  batchVersion,
  outcome,
  packBatch,
  unpackBatch,
} from "../../../shared/wire/batch.ts";
import { pack, unpack } from "../../../shared/wire/msgpack.ts";
import { packRecord, type Receipt, unpackRecord } from "../../../shared/wire/record.ts";

const bytes = (length: number, from = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, at) => (from + at) % 256);
const batch: Batch = {
  batchId: bytes(16),
  project: "shop",
  edge: "edge-1",
  receivedAt: 1_795_176_000_123,
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  count: 3,
  ids: bytes(48, 1),
  hashes: bytes(48, 2),
  fingerprints: bytes(24, 3),
  flags: Uint8Array.of(0, 3, 0),
  sizes: [4, 0, 5],
  bodies: bytes(9, 4),
  refusals: [{ index: 2, code: "missing_field", pointer: "/type", detail: "There is no type." }],
};
const receipt: Receipt = {
  collector: "c-1",
  start: 1_795_176_000_000,
  number: 7,
  lowestOpen: 5,
  givenUp: [3, 4],
};

/** Everything a batch holds, its bytes as numbers, so that views, copies and a runtime's own kinds compare alike. */
const plain = (value: Batch): unknown[] =>
  batchPlaces(value).map((place) => (place instanceof Uint8Array ? [...place] : place));

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return error instanceof WeirError ? error.code : `not ours: ${String(error)}`;
  }
  return "nothing thrown";
}

describe("a batch", () => {
  it("is read back as it was packed", () => {
    expect(plain(unpackBatch(packBatch(batch)))).toEqual(plain(batch));
  });

  it("is read back without trace context and refusals", () => {
    const bare: Batch = { ...batch, traceparent: null, refusals: [] };
    expect(plain(unpackBatch(packBatch(bare)))).toEqual(plain(bare));
  });

  it("of a later version is for a later collector", () => {
    expect(codeOf(() => unpackBatch(pack([batchVersion + 1, ...batchPlaces(batch)])))).toBe(
      "batch_version_unknown",
    );
  });

  it.each([
    ["nothing", new Uint8Array(0)],
    ["no msgpack", Uint8Array.of(0xc1)],
    ["cut off", packBatch(batch).subarray(0, 60)],
    ["followed by more", Uint8Array.of(...packBatch(batch), 0)],
    ["a map", pack({ version: 1 })],
    ["without a version", pack(batchPlaces(batch))],
    ["of version 0", pack([0, ...batchPlaces(batch)])],
  ])("that is %s is refused", (_, wire) => {
    expect(codeOf(() => unpackBatch(wire))).toBe("batch_malformed");
  });

  it.each([
    ["a short batch id", { batchId: bytes(15) }],
    ["a project that is no text", { project: 1 }],
    ["no events", { count: 0 }],
    ["a count beside its columns", { count: 4 }],
    ["a count that is no whole number", { count: 2.5 }],
    ["too few ids", { ids: bytes(47) }],
    ["too many hashes", { hashes: bytes(49) }],
    ["too few fingerprints", { fingerprints: bytes(16) }],
    ["flags as a list", { flags: [0, 0, 0] }],
    ["sizes that do not add up", { sizes: [4, 0, 6] }],
    ["a negative size", { sizes: [10, -6, 5] }],
    ["a time that is none", { receivedAt: "now" }],
    ["a refusal of an event it does not have", { refusals: [{ ...batch.refusals[0]!, index: 3 }] }],
    [
      "a refusal by an unknown code",
      { refusals: [{ ...batch.refusals[0]!, code: "because" as RefusalCode }] },
    ],
  ])("with %s is refused", (_, change) => {
    expect(codeOf(() => unpackBatch(packBatch({ ...batch, ...change } as Batch)))).toBe("batch_malformed");
  });

  it("refuses every change of its structure with a code, never a crash", () => {
    const wire = packBatch(batch);
    for (let at = 0; at < wire.length; at += 1) {
      const changed = Uint8Array.from(wire);
      changed[at] = changed[at]! ^ 0xff;
      expect(["nothing thrown", "batch_malformed", "batch_version_unknown"]).toContain(
        codeOf(() => unpackBatch(changed)),
      );
    }
  });
});

describe("a record", () => {
  const outcomes = Uint8Array.of(outcome.published, outcome.inDoubt, outcome.refused);

  it("is read back with its outcomes and receipt", () => {
    const record = unpackRecord(packRecord(batch, outcomes, receipt));
    expect(plain(record.batch)).toEqual(plain(batch));
    expect([...record.outcomes]).toEqual([...outcomes]);
    expect(record.receipt).toEqual(receipt);
  });

  it("leaves out the bodies of duplicates, and nothing else of them", () => {
    const record = unpackRecord(
      packRecord(batch, Uint8Array.of(outcome.duplicate, 0, outcome.refused), receipt),
    );
    expect(record.batch.sizes).toEqual([0, 0, 5]);
    expect([...record.batch.bodies]).toEqual([...batch.bodies.subarray(4)]);
    expect([...record.batch.hashes]).toEqual([...batch.hashes]);
  });

  it.each([
    ["another version", (places: unknown[]) => places.with(0, 2)],
    ["an outcome too few", (places: unknown[]) => places.with(14, bytes(2))],
    ["an outcome that is none", (places: unknown[]) => places.with(14, Uint8Array.of(0, 0, 9))],
    ["a receipt cut off", (places: unknown[]) => places.slice(0, 17)],
    ["numbers given up that are none", (places: unknown[]) => places.with(19, ["x"])],
  ])("with %s cannot be read", (_, change) => {
    const places = unpack(packRecord(batch, outcomes, receipt)) as unknown[];
    expect(() => unpackRecord(pack(change(places)))).toThrow();
  });
});
