// The time rules: what is read as a time, and which time an event is counted under.
import { describe, expect, it } from "vitest";
import { readTime, resolveTime, type TimeInput } from "../../../shared/event/time.ts";

describe("a time is read", () => {
  it.each([
    ["2026-11-20T12:00:00Z", Date.UTC(2026, 10, 20, 12)],
    ["2026-11-20t12:00:00z", Date.UTC(2026, 10, 20, 12)],
    ["2026-11-20 12:00:00Z", Date.UTC(2026, 10, 20, 12)],
    ["2026-11-20T12:00:00+05:30", Date.UTC(2026, 10, 20, 6, 30)],
    ["2026-11-20T12:00:00-08:00", Date.UTC(2026, 10, 20, 20)],
    ["2026-11-20T12:00:00.5Z", Date.UTC(2026, 10, 20, 12, 0, 0, 500)],
    ["2026-11-20T12:00:00.1239Z", Date.UTC(2026, 10, 20, 12, 0, 0, 123)],
    ["2026-11-20T12:00:00,25Z", Date.UTC(2026, 10, 20, 12, 0, 0, 250)],
    ["2016-12-31T23:59:60Z", Date.UTC(2017, 0, 1)],
    ["2024-02-29T00:00:00Z", Date.UTC(2024, 1, 29)],
    ["2000-02-29T00:00:00Z", Date.UTC(2000, 1, 29)],
    ["0050-01-01T00:00:00Z", new Date(0).setUTCFullYear(50, 0, 1)],
    [1_795_176_000_123, 1_795_176_000_123],
    [1_795_176_000_123.9, 1_795_176_000_123],
    [0, 0],
  ])("from %s", (value, expected) => {
    expect(readTime(value)).toBe(expected);
  });

  it.each(["2026-11-20T12:00:00", "2026-11-20 12:00:00.123"])("not from the local %s", (value) => {
    expect(readTime(value)).toBe("timestamp_without_offset");
  });

  it.each([
    "",
    "yesterday",
    "2026-11-20",
    "2026-11-20T12:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-01T00:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2026-11-20T24:00:00Z",
    "2026-11-20T12:60:00Z",
    "2026-11-20T12:00:61Z",
    "2026-11-20T12:00:00+24:00",
    "2026-11-20T12:00:00+05:60",
    "2026-11-20T12:00:00.Z",
    "2026-11-20T12:00:00Z ",
    "20261120T120000Z",
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 48,
  ])("not from %s", (value) => {
    expect(readTime(value)).toBe("timestamp_invalid");
  });
});

describe("an event is counted", () => {
  const minute = 60_000;
  const day = 24 * 60 * minute;
  const receivedAt = Date.UTC(2026, 10, 20, 12);
  const at = (input: Partial<TimeInput>) =>
    resolveTime({ clientTime: undefined, sentAt: undefined, receivedAt, historical: false, ...input });

  it.each([
    ["when it was received, without a client's time", {}, 0, true],
    ["by the client's time", { clientTime: receivedAt - 1 }, -1, false],
    ["by the client's time at the lower bound", { clientTime: receivedAt - 30 * day }, -30 * day, false],
    ["by the client's time at the upper bound", { clientTime: receivedAt + 10 * minute }, 10 * minute, false],
    [
      "by the client's time, though its clock is wrong",
      { clientTime: receivedAt - day, sentAt: receivedAt - day },
      -day,
      false,
    ],
    [
      "by the client's old time, with the right to",
      { clientTime: receivedAt - 999 * day, historical: true },
      -999 * day,
      false,
    ],
    [
      "by the corrected time of a clock an hour ahead",
      { clientTime: receivedAt + 50 * minute, sentAt: receivedAt + 60 * minute },
      -10 * minute,
      true,
    ],
    [
      "by the corrected time of a clock years back",
      { clientTime: receivedAt - 999 * day, sentAt: receivedAt - 999 * day + minute },
      -minute,
      true,
    ],
  ])("%s", (_, input, offset, moved) => {
    expect(at(input)).toEqual({ eventTime: receivedAt + offset, moved });
  });

  it.each([
    ["older than thirty days", { clientTime: receivedAt - 30 * day - 1 }, "time_too_old"],
    ["more than ten minutes ahead", { clientTime: receivedAt + 10 * minute + 1 }, "time_ahead"],
    ["before 1970, with any right", { clientTime: -1, historical: true }, "time_too_old"],
    ["ahead, with the right to old data", { clientTime: receivedAt + day, historical: true }, "time_ahead"],
    [
      "ahead, by a clock ten minutes wrong",
      { clientTime: receivedAt + 11 * minute, sentAt: receivedAt + 10 * minute },
      "time_ahead",
    ],
    [
      "too old even when corrected",
      { clientTime: receivedAt - 99 * day, sentAt: receivedAt - day },
      "time_too_old",
    ],
  ])("not where it is %s", (_, input, code) => {
    expect(at(input)).toBe(code);
  });
});
