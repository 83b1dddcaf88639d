// Which partition a batch belongs to: FNV-1a's published values, and an even spread.
import { describe, expect, it } from "vitest";
import { partitionOf } from "../../../shared/wire/partition.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("the hash", () => {
  // The 32-bit values of the test vectors published with FNV.
  it.each([
    ["", 0x811c9dc5],
    ["a", 0xe40c292c],
    ["b", 0xe70c2de5],
    ["foobar", 0xbf9cf968],
  ])("of %j is as published", (text, value) => {
    expect(partitionOf(ascii(text), 2 ** 32)).toBe(value);
  });
});

describe("a partition", () => {
  it("is always one of those there are", () => {
    for (const count of [1, 3, 24, 1_024]) {
      const found = Array.from({ length: 500 }, (_, at) => partitionOf(ascii(`batch-${at}`), count));
      expect(
        found.every((partition) => Number.isInteger(partition) && partition >= 0 && partition < count),
      ).toBe(true);
    }
  });

  it("takes its share of batches made in one moment", () => {
    const counts = new Array<number>(24).fill(0);
    // Ids made in the same millisecond differ in their random part alone.
    const id = Uint8Array.from({ length: 16 }, (_, at) => at);
    for (let at = 0; at < 24_000; at += 1) {
      new DataView(id.buffer).setUint32(12, Math.imul(at, 2_654_435_761));
      const partition = partitionOf(id, 24);
      counts[partition] = counts[partition]! + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1_150);
  });
});
