// The id: its layout as RFC 9562 draws it, the time it carries, and what its bits are taken from.
import { describe, expect, it } from "vitest";
import { toUuid } from "../../../shared/event/bytes.ts";
import * as identity from "../../../shared/event/identity.ts";

const hash = Uint8Array.from({ length: 16 }, (_, at) => at * 16 + 1);
const idOf = (time: number, from: Uint8Array = hash): Uint8Array => {
  const id = new Uint8Array(16);
  identity.writeId(id, 0, time, from);
  return id;
};

describe("an id", () => {
  it.each([0, 1, 999, 1_795_176_000_123, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1])(
    "carries the time %i",
    (time) => {
      expect(identity.eventTimeOf(idOf(time))).toBe(time);
    },
  );

  it("has the version and the variant of a UUIDv7, whatever the hash", () => {
    for (const byte of [0x00, 0xff, 0x5a]) {
      const text = toUuid(idOf(1_795_176_000_123, new Uint8Array(16).fill(byte)));
      expect(text).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
  });

  it("holds the first 74 bits of the hash, in order, and no others", () => {
    const bitsOf = (bytes: Uint8Array): string =>
      [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
    const bits = bitsOf(idOf(0));
    expect(bits.slice(52, 64) + bits.slice(66)).toBe(bitsOf(hash).slice(0, 74));
  });

  it("sorts by time", () => {
    const times = [5, 255, 256, 65_535, 65_536, 2 ** 40];
    const texts = times.map((time, at) => toUuid(idOf(time, new Uint8Array(16).fill(255 - at))));
    expect([...texts].sort()).toEqual(texts);
  });

  it("is written and read at its place in a column", () => {
    const column = new Uint8Array(48).fill(0xee);
    identity.writeId(column, 16, 1_795_176_000_123, hash);
    expect(identity.eventTimeOf(column, 16)).toBe(1_795_176_000_123);
    expect(column.subarray(16, 32)).toEqual(idOf(1_795_176_000_123));
    expect([...column.subarray(0, 16), ...column.subarray(32)].every((byte) => byte === 0xee)).toBe(true);
  });
});

describe("identities", () => {
  it("of different kinds, projects and parts never meet", () => {
    const texts = [
      identity.eventIdIdentity("p", "1"),
      identity.eventIdIdentity("q", "1"),
      identity.sequenceIdentity("p", "1", 1),
      identity.sequenceIdentity("p", "1", 11),
      identity.sequenceIdentity("p", "11", 1),
      identity.contentIdentity("p", "u", undefined, "t", 1, "{}"),
      identity.contentIdentity("p", undefined, "u", "t", 1, "{}"),
      identity.arrivalIdentity("00", 1),
      identity.windowIdentity("p", "u", undefined, "t", 1, undefined),
      identity.windowIdentity("p", "u", undefined, "t", 1, "1"),
      identity.windowIdentity("p", "u", undefined, "t", 1, 1),
    ];
    expect(new Set(texts).size).toBe(texts.length);
    for (const text of texts) expect(Array.isArray(JSON.parse(text))).toBe(true);
  });

  it.each([
    [0, 0],
    [299_999, 0],
    [300_000, 300_000],
    [1_795_176_123_456, 1_795_176_000_000],
  ])("of a window begin at its start: %i → %i", (time, start) => {
    expect(identity.windowStart(time, 300_000)).toBe(start);
  });

  it("are weak, and have a fingerprint, by their kind", () => {
    const table = identity.identityKinds.map((kind) => [
      kind,
      identity.isWeak(kind),
      identity.hasFingerprint(kind),
    ]);
    expect(table).toEqual([
      ["event_id", false, true],
      ["sequence", false, true],
      ["content", true, false],
      ["arrival", true, true],
      ["window", false, false],
    ]);
  });
});
