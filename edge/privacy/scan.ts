// Scan: e-mail addresses, phone numbers and card numbers in a text. Pure, and linear in the text's length.
import type { ContentKind } from "../../shared/event/policy.ts";

/** A piece of a text, `end` excluded. */
export interface Found {
  kind: ContentKind;
  start: number;
  end: number;
}

/** A text without an `@` and without seven digits in a near row holds nothing that is looked for. */
export const isSuspect = (text: string): boolean =>
  text.includes("@") || text.includes("%40") || /\d(?:[\d ()./-]|%20){5,64}\d/.test(text);

/** What of these kinds is in a text, in order; pieces do not overlap, the first to begin stands. */
export function findContent(text: string, kinds: readonly ContentKind[]): Found[] {
  if (!isSuspect(text)) return [];
  const found = kinds.flatMap((kind) => finders[kind](text));
  if (found.length < 2) return found;
  found.sort((left, right) => left.start - right.start || right.end - left.end);
  let end = 0;
  return found.filter((one) => {
    if (one.start < end) return false;
    end = one.end;
    return true;
  });
}

/**
 * The text with `[email]`, `[phone]` or `[card]` in each piece's place; the text itself where there is none.
 * What a masked neighbour uncovers is masked too, so that nothing is found in a masked text.
 */
export function maskText(text: string, kinds: readonly ContentKind[]): string {
  let masked = text;
  for (let pass = 0; pass < passesMax; pass += 1) {
    const found = findContent(masked, kinds);
    if (found.length === 0) return masked;
    masked = replaced(masked, found);
  }
  const [left] = findContent(masked, kinds);
  return left === undefined ? masked : `[${left.kind}]`;
}

/** Nobody writes so many numbers without a gap; a text that does is masked whole. */
const passesMax = 4;

function replaced(text: string, found: readonly Found[]): string {
  let masked = "";
  let at = 0;
  for (const { kind, start, end } of found) {
    masked += `${text.slice(at, start)}[${kind}]`;
    at = end;
  }
  return masked + text.slice(at);
}

/** Whether a number under a name is one of a card; as a number nothing else can be told from it. */
export const isCardNumber = (name: string, value: number): boolean =>
  Number.isSafeInteger(value) && value >= 1e12 && !counting.has(name) && isCard(String(value));

/** Our own fields that count or tell the time, whatever the number. */
const counting: ReadonlySet<string> = new Set(["seq", "version", "timestamp", "sent_at"]);

/** Whether what stands under a name as `phone` is one, however it is written. */
export const isPhoneUnder = (name: string, text: string): boolean =>
  phoneName.test(name) && /^[+\d][\d ()./-]{5,24}$/.test(text) && digitsOf(text).length >= 7;

const phoneName =
  /(?:^|[._ -]|[a-z](?=[A-Z]))(?:(?:[Tt]ele)?[Pp]hone|[Mm]obile|[Tt]el|[Ff]ax|[Mm]sisdn|PHONE|MOBILE)(?:[._ -]?(?:[Nn]umber|NUMBER|[Nn]o))?$/;

const finders: Readonly<Record<ContentKind, (text: string) => Found[]>> = {
  email: findEmails,
  phone: (text) =>
    phones.flatMap(([least, pattern]) =>
      matches(text, pattern, "phone", ({ length }) => length >= least && length <= 17),
    ),
  card: (text) => matches(text, card, "card", isCard),
};

// Every quantifier has a bound, so a text costs its length times a constant. A number that goes on in
// letters, digits or a dash is part of something else, such as a UUID or a date.
const phones: readonly (readonly [digitsMin: number, pattern: RegExp])[] = [
  // International: + or its form in a URL, and 8 to 15 digits.
  [8, /(?:(?<![\w+])\+|%2[bB])[1-9](?:[ ./-]{0,2}(?:\(0?\d{0,4}\)[ .-]{0,2})?\d){7,14}(?![\w]|-\d|\.\d)/g],
  // The same with the prefix 00, where something parts the digits.
  [9, /(?<![\w.-])00[1-9]\d{0,2}[ ./-](?:[ ./()-]{0,2}\d){6,12}(?![\w]|-\d|\.\d)/g],
  // North America.
  [10, /(?<![\w.-])(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[.-])[2-9]\d{2}[ .-]\d{4}(?![\w]|-\d|\.\d)/g],
  // With a trunk prefix of 0, the way most of Europe writes it.
  [
    9,
    /(?<![\w.-])(?:\(0[1-9]\d{0,3}\) ?|0[1-9]\d{0,3}(?: ?[/-] ?| ))\d{2,4}(?:[ -]?\d{2,4}){1,3}(?![\w]|-\d|\.\d|:)/g,
  ],
  [6, /\btel:[\d ()./-]{5,24}\d/gi],
];

const card =
  /(?<![\w.-])\d{4}(?:([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|([ -])\d{6}\2\d{4,5}|\d{9,15})(?![\w]|-\d|\.\d)/g;

function matches(
  text: string,
  pattern: RegExp,
  kind: ContentKind,
  holds: (digits: string) => boolean,
): Found[] {
  const found: Found[] = [];
  for (const { 0: written, index } of text.matchAll(pattern)) {
    if (holds(digitsOf(written.replace(/^%2[bB]/, "")))) {
      found.push({ kind, start: index, end: index + written.length });
    }
  }
  return found;
}

const digitsOf = (text: string): string => text.replace(/\D/g, "");

// The first digits that card networks give out (ISO/IEC 7812), each with the lengths it is given in.
const networks: readonly RegExp[] = [
  /^4(?:\d{12}|\d{15}|\d{18})$/,
  /^(?:5[1-5]|2[2-7])\d{14}$/,
  /^3[47]\d{13}$/,
  /^3(?:0[0-5]|[689]\d)\d{11,16}$/,
  /^6(?:011|5\d\d|4[4-9]\d)\d{12,15}$/,
  /^35\d{14,17}$/,
  /^62\d{14,17}$/,
  /^(?:5[06-8]|6\d)\d{10,17}$/,
];

const isCard = (digits: string): boolean =>
  digits.length >= 12 &&
  digits.length <= 19 &&
  networks.some((network) => network.test(digits)) &&
  luhn(digits);

// ISO/IEC 7812-1: from the right, every second digit doubled.
function luhn(digits: string): boolean {
  let sum = 0;
  for (let at = 0; at < digits.length; at += 1) {
    const digit = digits.charCodeAt(digits.length - 1 - at) - 48;
    const doubled = digit * 2;
    sum += at % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

const localLengthMax = 64;
const domainLengthMax = 255;
// Letters of alphabets that part words by spaces; a letter of another one before an address is no part of it.
const isLocal = (code: number): boolean =>
  isLetterOrDigit(code) || localSigns.has(code) || (code >= 0xc0 && code <= 0x52f);
const localSigns: ReadonlySet<number> = new Set([..."._%+-'"].map((sign) => sign.charCodeAt(0)));
// No halves of surrogate pairs, which a cut would leave alone.
const isDomain = (code: number): boolean =>
  isLetterOrDigit(code) || code === 0x2d || code === 0x2e || (code >= 0xa1 && code <= 0xd7ff);
const isLetterOrDigit = (code: number): boolean =>
  (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || (code >= 0x30 && code <= 0x39);
const topDomain = /\.(?:[a-zA-Z\u00a1-\ud7ff]{2,63}|xn--[a-zA-Z\d-]{1,59})$/;

// From each @ outwards, since an address may be anywhere in a text; %40 is its form in a URL.
function findEmails(text: string): Found[] {
  const found: Found[] = [];
  for (const { 0: sign, index } of text.matchAll(/@|%40/g)) {
    const floor = Math.max(found.at(-1)?.end ?? 0, index - localLengthMax);
    let start = index;
    while (start > floor && isLocal(text.charCodeAt(start - 1))) start -= 1;
    while (start < index && /[.%'-]/.test(text[start]!)) start += 1;
    const from = index + sign.length;
    const ceiling = Math.min(text.length, from + domainLengthMax);
    let end = from;
    while (end < ceiling && isDomain(text.charCodeAt(end))) end += 1;
    while (end > from && /[.-]/.test(text[end - 1]!)) end -= 1;
    const domain = text.slice(from, end);
    if (start < index && /^[^.-]/.test(domain) && topDomain.test(domain))
      found.push({ kind: "email", start, end });
  }
  return found;
}
