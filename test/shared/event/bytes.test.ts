// Bytes as text and back, and the comparison that tells nothing by its time.
import { describe, expect, it } from "vitest";
import { equalConstantTime, fromHex, fromUuid, toHex, toUuid } from "../../../shared/event/bytes.ts";

const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);

describe("bytes", () => {
  it("are the same after hex and back, in either case", () => {
    expect(fromHex(toHex(all))).toEqual(all);
    expect(fromHex(toHex(all).toUpperCase())).toEqual(all);
    expect(toHex(all)).toBe(Buffer.from(all).toString("hex"));
  });

  it("are a UUID's text in its five groups", () => {
    expect(toUuid(all.subarray(0, 16))).toBe("00010203-0405-0607-0809-0a0b0c0d0e0f");
    expect(fromUuid("00010203-0405-0607-0809-0A0B0C0D0E0F")).toEqual(all.slice(0, 16));
  });

  it.each(["0", "0g", "00 ", "é0"])("are not read from the hex %j", (text) => {
    expect(() => fromHex(text)).toThrow("not a hex text");
  });

  it.each(["", "00", "00010203-0405-0607-0809-0a0b0c0d0e"])("are not read from the UUID %j", (text) => {
    expect(() => fromUuid(text)).toThrow("not a UUID");
  });

  it.each([
    [[], [], true],
    [[1, 2, 3], [1, 2, 3], true],
    [[1, 2, 3], [1, 2, 4], false],
    [[0, 2, 3], [1, 2, 3], false],
    [[1, 2], [1, 2, 3], false],
  ])("%j and %j are equal: %j", (left, right, expected) => {
    expect(equalConstantTime(Uint8Array.from(left), Uint8Array.from(right))).toBe(expected);
  });
});
