// What a log line holds, how often the same error is written, and what never appears in one.
import { describe, expect, it } from "vitest";
import { createLogger } from "../../../shared/telemetry/logger.ts";
import { manualClock } from "../../support/clock.ts";

interface Line {
  held_back?: number;
  fields?: unknown;
}

function collect() {
  const lines: string[] = [];
  const clock = manualClock(Date.UTC(2026, 10, 20, 12));
  const logger = createLogger({ process: "edge", write: (line) => lines.push(line), clock });
  return { logger, clock, lines, last: () => JSON.parse(lines.at(-1) ?? "null") as Line };
}

/** The fields of one error line. */
function fieldsOf(fields: Record<string, unknown>): unknown {
  const { logger, last } = collect();
  logger.error("fault", fields);
  return last().fields;
}

describe("a line", () => {
  it("is one JSON object with time, level, code, process and fields", () => {
    const { logger, lines, last } = collect();
    logger.info("ready", { port: 8787, text: "two\nlines" });
    expect(lines[0]).not.toContain("\n");
    expect(last()).toEqual({
      ts: "2026-11-20T12:00:00.000Z",
      level: "info",
      code: "ready",
      process: "edge",
      fields: { port: 8787, text: "two\nlines" },
    });
  });

  it("leaves fields out where there are none", () => {
    const { logger, last } = collect();
    logger.info("ready");
    expect(Object.keys(last())).toEqual(["ts", "level", "code", "process"]);
  });
});

describe("the same error", () => {
  it("is written once in ten seconds, and then says how many were held back", async () => {
    const { logger, clock, lines, last } = collect();
    for (let at = 0; at < 5; at += 1) logger.error("claims_down");
    expect(lines).toHaveLength(1);
    await clock.advance(9_999);
    logger.error("claims_down");
    expect(lines).toHaveLength(1);
    await clock.advance(1);
    logger.error("claims_down");
    expect(lines).toHaveLength(2);
    expect(last().held_back).toBe(5);
    await clock.advance(10_000);
    logger.error("claims_down");
    expect(last().held_back).toBeUndefined();
  });

  it("holds back no other code, and no line of normal operation", () => {
    const { logger, lines } = collect();
    logger.error("claims_down");
    logger.error("log_down");
    logger.info("ready");
    logger.info("ready");
    expect(lines).toHaveLength(4);
  });
});

describe("secrets", () => {
  it.each([
    ["a URL's credentials", "at postgres://weir:hunter2@db:5432/x", "at postgres://[redacted]@db:5432/x"],
    ["a password with an @ in it", "redis://:hun@ter2@cache:6379", "redis://[redacted]@cache:6379"],
    ["a password with a slash in it", "kafka+tls://u:hunter2/x@broker", "kafka+tls://[redacted]@broker"],
    ["a token in a query", "GET /v1/live?token=hunter2&x=1", "GET /v1/live?token=[redacted]&x=1"],
    ["an API token", `no weir_${"aB3".repeat(16)}x here`, "no [redacted] here"],
    ["a bearer token", "Authorization: Bearer hunter2.x", "Authorization: Bearer [redacted]"],
    ["a password in a driver's words", "password=hunter2 host=db", "password=[redacted] host=db"],
  ])("hides %s", (_, text, expected) => {
    expect(fieldsOf({ text })).toEqual({ text: expected });
  });

  it.each(["secret", "edgeSecret", "api_token", "PASSWORD", "authorization", "write_key", "cookie"])(
    "hides the value of a field called %s",
    (name) => {
      expect(fieldsOf({ [name]: "hunter2", deep: { [name]: "hunter2" } })).toEqual({
        [name]: "[redacted]",
        deep: { [name]: "[redacted]" },
      });
    },
  );

  it("hides them in an error and in what caused it", () => {
    const cause = Object.assign(new Error("connect postgres://u:hunter2@db failed"), {
      code: "ECONNREFUSED",
    });
    const line = JSON.stringify(fieldsOf({ error: new Error("password=hunter2", { cause }) }));
    expect(line).not.toContain("hunter2");
    expect(line).toContain("ECONNREFUSED");
  });

  it("leaves ordinary words as they are", () => {
    const fields = { url: "http://127.0.0.1:8787/v1/events", batch_id: "0199-x", topic: "weir.events" };
    expect(fieldsOf(fields)).toEqual(fields);
  });
});

describe("anything may be logged", () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;
  const trap = Object.defineProperty({}, "x", {
    enumerable: true,
    get() {
      throw new Error("no");
    },
  });
  it.each([
    ["a bigint", { offset: 12n }, { offset: "12" }],
    ["bytes", { body: new Uint8Array(3) }, { body: "[3 bytes]" }],
    ["a function", { call: () => 1 }, { call: "[function]" }],
    ["a member that throws", { trap }, { trap: "[unreadable]" }],
    ["a circle", circle, { self: { self: { self: { self: "[deeper]" } } } }],
  ])("writes %s", (_, fields, expected) => {
    expect(fieldsOf(fields as Record<string, unknown>)).toEqual(expected);
  });

  it("cuts what is too long", () => {
    const fields = fieldsOf({ text: "x".repeat(1e6), list: new Array(1e5).fill(1) });
    expect(JSON.stringify(fields).length).toBeLessThan(3_000);
  });
});
