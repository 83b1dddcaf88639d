// The suite's own tools: the proxy does the harm it is asked for, and the judge finds what was planted.
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Evidence, followAcked, judge, readAccounts, type StoredRow } from "./judge.ts";
import { createCommitWatch, isCommitAnswer, type Passage, startProxy } from "./proxy.ts";

describe("a proxy", () => {
  let echo: Server;
  let proxy: Passage;
  beforeAll(async () => {
    echo = createServer((socket) => {
      socket.on("error", () => {});
      socket.pipe(socket);
    });
    await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
    proxy = await startProxy((echo.address() as { port: number }).port);
  });
  afterEach(() => proxy.heal());
  afterAll(async () => {
    await proxy.close();
    await new Promise((resolve) => echo.close(resolve));
  });

  /** Sends words on a new connection; resolves to what came back, or how it ended. */
  const ask = (words: string, msMax = 300): Promise<string> =>
    new Promise((resolve) => {
      const socket: Socket = connect(proxy.port, "127.0.0.1");
      const end = (how: string): void => {
        clearTimeout(late);
        socket.destroy();
        resolve(how);
      };
      const late = setTimeout(() => end("silence"), msMax);
      socket.on("error", () => {});
      socket.once("data", (bytes) => end(bytes.toString()));
      socket.once("close", () => end("closed"));
      socket.write(words);
    });

  it("passes bytes both ways", async () => {
    expect(await ask("hello", 5_000)).toBe("hello");
  });

  it("ends every connection while it is cut, and none afterwards", async () => {
    proxy.harm({ kind: "cut" });
    expect(await ask("hello", 5_000)).toBe("closed");
    proxy.heal();
    expect(await ask("hello", 5_000)).toBe("hello");
  });

  it("takes bytes and never answers while it is half open", async () => {
    proxy.harm({ kind: "half_open" });
    expect(await ask("hello")).toBe("silence");
  });

  it("holds bytes back for as long as told, and keeps their order", async () => {
    proxy.harm({ kind: "delay", ms: 50 });
    const began = Date.now();
    expect(await ask("hello", 5_000)).toBe("hello");
    expect(Date.now() - began).toBeGreaterThanOrEqual(99);
  });

  it("lets no more bytes through than told", async () => {
    proxy.harm({ kind: "throttle", bytesPerSecond: 1000 });
    const began = Date.now();
    expect(await ask("x".repeat(100), 5_000)).toBe("x".repeat(100));
    expect(Date.now() - began).toBeGreaterThanOrEqual(190);
  });

  it("ends a connection at certain bytes, as often as told", async () => {
    proxy.harm({ kind: "drop_at", from: "server", sees: (bytes) => bytes.includes("COMMIT"), times: 1 });
    expect(await ask("hello", 5_000)).toBe("hello");
    expect(await ask("COMMIT", 5_000)).toBe("closed");
    expect(proxy.dropped()).toBe(1);
    expect(await ask("COMMIT", 5_000)).toBe("COMMIT");
  });

  it("knows PostgreSQL's commit in both directions", () => {
    expect(isCommitAnswer(Buffer.from("C\0\0\0\x0bCOMMIT\0Z\0\0\0\x05I"))).toBe(true);
    expect(isCommitAnswer(Buffer.from("C\0\0\0\x0aBEGIN\0"))).toBe(false);
    const sees = createCommitWatch();
    expect(sees(Buffer.from("Q\0\0\0\x0bselect 1\0"))).toBe(false);
    expect(sees(Buffer.from("P\0\0\0\x12own7\0commit \0\0\0"))).toBe(true);
    expect(sees(Buffer.from("B\0\0\0\x10\0own7\0\0\0\0\0\0\0"))).toBe(true);
    expect(sees(Buffer.from("B\0\0\0\x10\0own8\0\0\0\0\0\0\0"))).toBe(false);
  });
});

describe("the judge", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-judge-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "account");
  const counts = { accepted: 0, duplicate: 0, quarantined: 0, received: 0, batch_ids: [] };
  const account = (...lines: object[]): string[] => {
    writeFileSync(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    return [file];
  };
  const begun = { sent: 0, attempt: 1, good: [["e-1", 3]], bad: ["e-4"], copies: ["e-1"] };
  const acked = { acked: 0, attempt: 1, ...counts };
  const sent = new Map(
    [1, 2, 3, 4].map((number) => [`e-${number}`, { payload: { n: number }, context: { a: 1 } }]),
  );
  const row = (number: number, more: object = {}): StoredRow => ({
    event_id: `e-${number}`,
    payload: { n: number },
    context: { request_id: "added", a: 1 },
    storedAtMs: 100,
    ...more,
  });
  const rows = [row(1), row(2), row(3)];
  const kept = [{ eventId: "e-4", reason: "missing_field" }];
  const verdict = (change: Partial<Evidence> = {}) =>
    judge({
      ...{ sentOf: (id) => sent.get(id), rows, kept, faultAtMs: 50, mayRefuse: false },
      end: readAccounts(account(begun, acked)),
      atFault: readAccounts(account(begun)),
      ...change,
    });

  it("finds nothing where all is well", async () => {
    expect(await verdict()).toEqual({
      ...{ sent: 5, acked: 5, stored: 3, duplicate: 1, quarantined: 1, caught_in_flight: 4 },
      ...{ lost: 0, extra: 0, wrongly_refused: 0, altered: 0 },
    });
  });

  it.each<[string, Partial<Evidence>, object]>([
    ["a row that is not there", { rows: rows.slice(1) }, { lost: 1 }],
    ["a bad event that nobody kept", { kept: [] }, { lost: 1 }],
    ["a second row of an event", { rows: [...rows, row(2)] }, { extra: 1 }],
    ["a row that nobody sent", { rows: [...rows, row(9)] }, { extra: 1 }],
    ["a row of a bad event", { rows: [...rows, row(4)] }, { extra: 1 }],
    ["another payload", { rows: [row(1, { payload: { n: 7 } }), row(2), row(3)] }, { altered: 1, extra: 1 }],
    ["another context", { rows: [row(1, { context: { a: 2 } }), row(2), row(3)] }, { altered: 1, extra: 1 }],
    [
      "a good event in quarantine",
      { kept: [...kept, { eventId: "e-2", reason: "conflict" }] },
      { wrongly_refused: 1 },
    ],
  ])("finds %s", async (_, change, found) => {
    expect(await verdict(change)).toMatchObject(found);
  });

  it.each([
    ["503 log_unavailable", false, 4],
    ["503 log_unavailable", true, 0],
    ["413 body_too_large", true, 4],
    ["no answer", false, 0],
  ])("counts %s, where 503 is right: %s, as %i wrongly refused", async (why, mayRefuse, refused) => {
    const failed = { failed: 0, attempt: 1, fate: "unknown", why };
    const end = readAccounts(account(begun, failed, { sent: 0, attempt: 2 }, acked));
    expect(await verdict({ end, mayRefuse })).toMatchObject({ wrongly_refused: refused, lost: 0 });
  });

  it("follows an account that grows, and reads a line only once it is whole", () => {
    const files = account(begun);
    const acks = followAcked(files);
    expect(acks()).toBe(0);
    const line = JSON.stringify(acked);
    appendFileSync(file, line.slice(0, 9));
    expect(acks()).toBe(0);
    appendFileSync(file, `${line.slice(9)}\n`);
    expect(acks()).toBe(3);
    expect(readAccounts(files)).toMatchObject({ acked: new Set(["e-1", "e-2", "e-3"]), ackedEvents: 5 });
  });

  it("counts as caught what had no answer yet, or was acknowledged and stored only later", async () => {
    const atFault = readAccounts(account(begun, acked));
    expect(await verdict({ atFault })).toMatchObject({ caught_in_flight: 3 });
    expect(await verdict({ atFault, faultAtMs: 200 })).toMatchObject({ caught_in_flight: 0 });
    const ends = { atFault, faultAtMs: 200, endsAtCommit: true };
    expect(await verdict(ends)).toMatchObject({ caught_in_flight: 3 });
  });
});
