// What is taken for an e-mail address, a phone number or a card number, and what is not.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findForbidden, type Redaction, redact } from "../../edge/privacy/redact.ts";
import { findContent, isCardNumber, isPhoneUnder, isSuspect, maskText } from "../../edge/privacy/scan.ts";
import { contentKinds } from "../../shared/event/policy.ts";

const numRuns = process.env["WEIR_TEST_LONG"] === "1" ? 100_000 : 5_000;
const timeout = 10 * 60_000;
const masked = (text: string): string => maskText(text, contentKinds);

describe("an e-mail address", () => {
  it.each([
    ["ada@example.com", "[email]"],
    ["mail to <ada.l+x@mail.example.co.uk>.", "mail to <[email]>."],
    ["https://shop.example/?email=ada%40example.com&x=1", "https://shop.example/?email=[email]&x=1"],
    ["grüße an jörg@müller.de!", "grüße an [email]!"],
    ["a@b.de,c@d.org", "[email],[email]"],
    ['{"to":"ada@example.com"}', '{"to":"[email]"}'],
  ])("is found in %s", (text, expected) => expect(masked(text)).toBe(expected));

  it.each(["@media print", "a@b", "npm i x@10.2.3", "me @ home.example", "@ada", "ada@", "x@.com", "a@b.c1"])(
    "is not %s",
    (text) => expect(masked(text)).toBe(text),
  );
});

describe("a phone number", () => {
  it.each([
    "+49 (0)30 1234567",
    "+4915112345678",
    "%2B4915112345678",
    "0049 30 1234567",
    "(415) 555-2671",
    "415-555-2671",
    "1-800-555-0199",
    "+1 415 555 2671",
    "030 1234567",
    "0171/1234567",
    "(030) 12 34 56 78",
    "tel:030123456",
  ])("is %s", (text) => {
    expect(masked(text)).toBe("[phone]");
    expect(masked(`call ${text}, please`)).toBe("call [phone], please");
  });

  it.each([
    "2026-11-20T12:00:00+02:00",
    "2026-11-20 12:00:00.123456",
    "01-01-2026",
    "10.11.2026 12:30",
    "192.168.100.200",
    "550e8400-e29b-41d4-a716-446655440000",
    "12345678-1234-4123-8123-123456789012",
    "1763712345678",
    "order 0123456789",
    "52.5200,13.4050",
    "GA1.2.1234567890.1612345678",
    "1,234,567.89",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/120.0.6099.130 Safari/537.36",
  ])("is not %s", (text) => expect(masked(text)).toBe(text));

  it.each([
    ["phone", "1711234567", true],
    ["user_phone_number", "0171 1234567", true],
    ["mobilePhone", "1234567", true],
    ["microphone", "1234567", false],
    ["phone", "none", false],
    ["telemetry", "1234567", false],
  ])("under the name %s is %s: %s", (name, text, expected) => {
    expect(isPhoneUnder(name, text)).toBe(expected);
  });
});

describe("a card number", () => {
  it.each([
    "4111111111111111",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "378282246310005",
    "3782 822463 10005",
    "5555555555554444",
    "6011111111111117",
    "30569309025904",
  ])("is %s", (text) => expect(masked(`paid by ${text}.`)).toBe("paid by [card]."));

  it.each([
    "4111111111111112",
    "1234567812345670",
    "x4111111111111111",
    "4111111111111111.5",
    "1763712345678",
  ])("is not %s", (text) => expect(masked(text)).toBe(text));

  it("is found as a number too", () => {
    expect(
      [4111111111111111, 1763712345678, 4111111111111111.5, 12].map((value) => isCardNumber("a", value)),
    ).toEqual([true, false, false, false]);
  });
});

// Pieces of content, whole and in parts, with what stands between them.
const piece = fc.oneof(
  fc.constantFrom(
    "ada@example.com",
    "+4915112345678",
    "4111111111111111",
    "415-555-2671",
    "%40",
    "@",
    "+",
    "00",
  ),
  fc.constantFrom("a@b.co", "030 1234567", "%2B49", "-", ".", " ", "(", ")", "/", "x", "ü", "\ud83d", "]["),
  fc.string({ maxLength: 8, unit: "binary" }),
  fc.stringMatching(/^[\d +()./-]{1,24}$/),
  fc.stringMatching(/^[a-z.]{1,9}@[a-z-]{1,9}\.[a-z]{2}$/),
);
const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(""));

describe("any text", () => {
  it("holds nothing any more once it is masked", { timeout }, () => {
    const property = fc.property(text, (given) => {
      const clean = masked(given);
      expect(findContent(clean, contentKinds)).toEqual([]);
      expect(masked(clean)).toBe(clean);
    });
    fc.assert(property, { numRuns });
  });

  it("keeps what is not content, in its order", { timeout }, () => {
    const property = fc.property(text, (given) => {
      const found = findContent(given, contentKinds);
      let at = 0;
      for (const { start, end } of found) {
        expect(start).toBeGreaterThanOrEqual(at);
        expect(end).toBeGreaterThan(start);
        at = end;
      }
      expect(at).toBeLessThanOrEqual(given.length);
      if (found.length === 0) expect(masked(given)).toBe(given);
      else expect(isSuspect(given)).toBe(true);
    });
    fc.assert(property, { numRuns });
  });

  it("gives up an address wherever it stands between other words", { timeout }, () => {
    const around = fc.string({ maxLength: 20 }).map((word) => word.replace(/[\w.%+'@-]/g, " "));
    const address = fc.stringMatching(
      /^[a-zA-Z\d][\w.+'-]{0,12}[\w]@[a-z\d]{1,8}(\.[a-z\d]{1,8}){0,2}\.[a-z]{2,6}$/,
    );
    const property = fc.property(around, address, around, (before, given, after) => {
      expect(masked(`${before} ${given} ${after}`)).not.toContain(given);
    });
    fc.assert(property, { numRuns });
  });

  it.each([
    "1 ",
    "+1",
    "@",
    "a@",
    "0",
    "01 ",
    "(0",
    "1234-",
    "%40",
    "1.",
    "+1 (0",
    "a@b.co+4915112345678",
    "a",
  ])("is looked through in linear time, as 64 KiB of %s", (part) => {
    const time = (length: number): number => {
      const given = part.repeat(length / part.length);
      const started = performance.now();
      masked(given);
      return performance.now() - started;
    };
    time(4_096);
    // Quadratic work would be 256 times as much; the bound leaves room for a machine that is busy.
    expect(time(65_536)).toBeLessThan(Math.max(1_000, 64 * time(4_096)));
  });
});

const redaction: Redaction = {
  denied: new Set(["secret"]),
  pseudonyms: new Map([["ada-lovelace", "p.1.xyz"]]),
  idNames: new Set(["user_id"]),
  masked: contentKinds,
};

describe("any value", () => {
  it("loses denied members, ids and content at every depth, and nothing else", () => {
    const given = {
      a: [{ Secret: 1, kept: [1, null, true, "x"] }, "mail ada@example.com"],
      "who is ada@example.com": { SECRET: { deep: 1 }, by: "ada-lovelace", card: 4111111111111111 },
      phone: 1711234567,
      user_id: "ada-lovelace",
    };
    expect(redact(given, redaction)).toEqual({
      a: [{ kept: [1, null, true, "x"] }, "mail [email]"],
      "who is [email]": { by: "p.1.xyz", card: "[card]" },
      phone: "[phone]",
      user_id: "p.1.xyz",
    });
  });

  it("keeps members whose names become equal", () => {
    const given = { "a@b.de": 1, "c@d.de": 2, "[email] 2": 3, "e@f.de": 4 };
    expect(Object.values(redact(given, redaction) as object).sort()).toEqual([1, 2, 3, 4]);
  });

  it("comes back itself where there is nothing to do", () => {
    const given = { a: [{ b: "plain" }, 1, null], c: { d: "2026-11-20T12:00:00+02:00" } };
    expect(redact(given, redaction)).toBe(given);
  });

  it("is cut where it is deeper than any event, and never ends the process", () => {
    let deep: unknown = "ada@example.com";
    for (let level = 0; level < 5_000; level += 1) deep = [deep];
    expect(JSON.stringify(redact(deep, redaction))).not.toContain("ada@example.com");
  });

  it("holds nothing forbidden once it is masked", { timeout }, () => {
    const names = fc.oneof(text, fc.constantFrom("phone", "secret", "__proto__", "mobile", "a"));
    const leaves = fc.oneof(text, fc.integer(), fc.double(), fc.constantFrom(null, true, 4111111111111111));
    const member = fc.tuple(names, leaves);
    const members = fc.array(member, { maxLength: 4 }).map((pairs) => Object.fromEntries(pairs));
    const value = fc.array(fc.oneof(leaves, members, fc.array(members, { maxLength: 2 })), { maxLength: 4 });
    const property = fc.property(value, (given) => {
      const clean = redact(given, { ...redaction, pseudonyms: new Map() });
      expect(findForbidden(clean, contentKinds)).toBeUndefined();
      expect(JSON.stringify(clean)?.toLowerCase() ?? "").not.toMatch(/"secret":/);
    });
    fc.assert(property, { numRuns });
  });
});
