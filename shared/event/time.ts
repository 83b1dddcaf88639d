// The time rules: how a client's time is read, and which time an event is counted under.
import { clockWrongMs, timeAheadMs, timeBackMs } from "../limits.ts";
import type { RefusalCode } from "../problem.ts";

/** The largest time a UUIDv7 can carry, 2^48 − 1 ms (year 10889). */
const timeMsMax = 0xffff_ffff_ffff;

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|z|[+-]\d\d:\d\d)?$/;
const monthDays = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** A time in epoch ms, or why the text or number is none. */
export type TimeReading = number | "timestamp_invalid" | "timestamp_without_offset";

/**
 * Reads an RFC 3339 time with `Z` or an offset, or a whole number of epoch milliseconds. Fractions
 * finer than a millisecond are cut. A local time is refused, never guessed.
 */
export function readTime(value: string | number): TimeReading {
  if (typeof value === "number") {
    return Number.isFinite(value) && Math.abs(value) <= timeMsMax ? Math.floor(value) : "timestamp_invalid";
  }
  const usual = readUsual(value);
  if (!Number.isNaN(usual)) return usual;
  const found = rfc3339.exec(value);
  if (found === null) return "timestamp_invalid";
  const [, year, month, day, hour, minute, second, fraction, zone] = found;
  const monthNumber = Number(month);
  const dayNumber = Number(day);
  const inRange =
    monthNumber >= 1 &&
    monthNumber <= 12 &&
    dayNumber >= 1 &&
    dayNumber <= monthDays[monthNumber - 1]! &&
    Number(hour) <= 23 &&
    Number(minute) <= 59 &&
    Number(second) <= 60;
  if (!inRange) return "timestamp_invalid";
  if (monthNumber === 2 && dayNumber === 29 && !isLeapYear(Number(year))) return "timestamp_invalid";
  if (zone === undefined) return "timestamp_without_offset";
  const offset = offsetMs(zone);
  if (offset === undefined) return "timestamp_invalid";
  const milliseconds = fraction === undefined ? 0 : Number(fraction.padEnd(3, "0").slice(0, 3));
  const utc = new Date(0);
  utc.setUTCFullYear(Number(year), monthNumber - 1, dayNumber);
  utc.setUTCHours(Number(hour), Number(minute), Number(second), milliseconds);
  return utc.getTime() - offset;
}

// What most clients send, `2026-11-20T12:00:00Z` with or without milliseconds, for a tenth of the pattern's
// cost. NaN for anything else, days after the 28th of a month included: the pattern is to judge those.
function readUsual(text: string): number {
  const isShort = text.length === 20;
  if (!isShort && text.length !== 24) return Number.NaN;
  const isShaped =
    text.charCodeAt(4) === 0x2d &&
    text.charCodeAt(7) === 0x2d &&
    text.charCodeAt(10) === 0x54 &&
    text.charCodeAt(13) === 0x3a &&
    text.charCodeAt(16) === 0x3a &&
    (isShort || text.charCodeAt(19) === 0x2e) &&
    text.charCodeAt(text.length - 1) === 0x5a;
  if (!isShaped) return Number.NaN;
  const year = digits(text, 0, 4);
  const month = digits(text, 5, 7);
  const day = digits(text, 8, 10);
  const hour = digits(text, 11, 13);
  const minute = digits(text, 14, 16);
  const second = digits(text, 17, 19);
  const inRange =
    // Date.UTC takes years below 100 for those of the last century.
    year >= 100 &&
    month >= 1 &&
    month <= 12 &&
    day >= 1 &&
    day <= 28 &&
    hour <= 23 &&
    minute <= 59 &&
    second <= 59;
  if (!inRange) return Number.NaN;
  return Date.UTC(year, month - 1, day, hour, minute, second, isShort ? 0 : digits(text, 20, 23));
}

// NaN where any of them is no digit; NaN is in no range.
function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at += 1) {
    const digit = text.charCodeAt(at) - 0x30;
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN;
  }
  return value;
}

function isLeapYear(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

function offsetMs(zone: string): number | undefined {
  if (zone === "Z" || zone === "z") return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(4, 6));
  if (hours > 23 || minutes > 59) return undefined;
  return (zone[0] === "-" ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

/** All times in epoch ms; `historical` is the right of the write key, and lifts the lower bound. */
export interface TimeInput {
  clientTime: number | undefined;
  /** How long before its arrival an event without a time happened, where its client told that instead. */
  ageMs?: number | undefined;
  sentAt: number | undefined;
  receivedAt: number;
  historical: boolean;
}

/** `moved` marks a time that differs from copy to copy, so that the store looks the hash up. */
export type ResolvedTime =
  | { eventTime: number; moved: boolean }
  | Extract<RefusalCode, "time_too_old" | "time_ahead">;

/**
 * The time an event is counted under. A client's time within its bounds is taken as it is. Outside them
 * it is moved by the client's clock error where `sent_at` shows that clock more than ten minutes wrong,
 * else refused. Without any client time the event counts when it was received, less its age.
 */
export function resolveTime(input: TimeInput): ResolvedTime {
  const { clientTime, sentAt, receivedAt } = input;
  if (clientTime === undefined) {
    const eventTime = receivedAt - (input.ageMs ?? 0);
    return outOfBounds(eventTime, input) ?? { eventTime, moved: true };
  }
  const fault = outOfBounds(clientTime, input);
  if (fault === undefined) return { eventTime: clientTime, moved: false };
  if (sentAt === undefined || Math.abs(receivedAt - sentAt) <= clockWrongMs) return fault;
  const movedTime = clientTime + (receivedAt - sentAt);
  return outOfBounds(movedTime, input) ?? { eventTime: movedTime, moved: true };
}

function outOfBounds(time: number, input: TimeInput): "time_too_old" | "time_ahead" | undefined {
  // An id's 48 bits hold no time before 1970, whatever the key's rights.
  if (time < 0 || (!input.historical && time < input.receivedAt - timeBackMs)) return "time_too_old";
  return time > input.receivedAt + timeAheadMs ? "time_ahead" : undefined;
}
