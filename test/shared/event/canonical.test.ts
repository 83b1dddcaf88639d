// Canonical JSON against the examples of RFC 8785, and what it does where the RFC is silent.
import { describe, expect, it } from "vitest";
import { canonical } from "../../../shared/event/canonical.ts";

describe("the canonical text", () => {
  it.each([
    [
      "sorts members by UTF-16 units",
      { "\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\u{1f600}": 5, "\u0080": 6, "\u00f6": 7 },
      '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\u{1f600}":5,"\ufb33":3}',
    ],
    [
      "sorts at every level, and no list",
      { b: [{ d: 1, c: 2 }, 3], a: {} },
      '{"a":{},"b":[{"c":2,"d":1},3]}',
    ],
    [
      "writes numbers as ECMAScript does",
      [333333333.3333333, 1e30, 4.5, 2e-3, 1e-27, -0, 1e21],
      "[333333333.3333333,1e+30,4.5,0.002,1e-27,0,1e+21]",
    ],
    ["writes literals", [null, true, false], "[null,true,false]"],
    ["escapes as JSON does, and no more", '€$\u000f\nA\'B"\\"/', '"€$\\u000f\\nA\'B\\"\\\\\\"/"'],
    ["escapes a lone surrogate", "\ud83d", '"\\ud83d"'],
    ["leaves undefined members out", { a: undefined, b: 1 }, '{"b":1}'],
    [
      "writes what JSON has no word for as null",
      [undefined, Number.NaN, Number.POSITIVE_INFINITY],
      "[null,null,null]",
    ],
  ])("%s", (_, value, text) => {
    expect(canonical(value)).toBe(text);
  });

  it("is the same for every order of the same members", () => {
    const names = ["z", "a", "m", "B", "é", "10", "9"];
    const texts = names.map((_, turn) => {
      const turned = [...names.slice(turn), ...names.slice(0, turn)];
      return canonical(Object.fromEntries(turned.map((name) => [name, { [name]: name }])));
    });
    expect(new Set(texts).size).toBe(1);
  });

  it("is JSON of the same value", () => {
    const value = { text: 'a"\u0000\u2028', list: [1.5, [], {}], none: null, "": { a: -1e-7 } };
    expect(JSON.parse(canonical(value))).toEqual(value);
  });
});
