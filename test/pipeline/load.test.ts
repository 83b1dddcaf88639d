// A load over HTTP with copies, late and bad events: its own account and the store agree to the event.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LoadOptions, runLoad } from "../../edge/command/load.ts";
import { verifyLoad } from "../../edge/command/load-verify.ts";
import { systemClock } from "../../shared/clock.ts";
import { type Embedded, startEmbedded } from "../support/embedded.ts";
import { retailSample } from "../support/retail.ts";

const minutes = 10 * 60_000;

describe("a load against the edge", () => {
  let weir: Embedded;
  beforeAll(async () => {
    weir = await startEmbedded(["file", "synthetic", "mixed"]);
  }, minutes);
  afterAll(() => weir.close());

  const log = (project: string): string => join(weir.folder, `${project}.load`);
  function load(project: string, options: Partial<LoadOptions>): ReturnType<typeof runLoad> {
    const usual = {
      rate: 0,
      duplicate: 0.142,
      late: 0,
      bad: 0,
      batch: 200,
      connections: 4,
      giveUpSeconds: 30,
      seed: 5,
    };
    const to = { url: weir.edge.url, key: weir.keyOf(project), log: log(project) };
    return runLoad({ ...usual, ...to, ...options }, systemClock);
  }

  it(
    "with a file and its copies stores each event once and counts each copy",
    async () => {
      const { file, facts } = retailSample();
      const sent = await load("file", { file });
      expect(sent).toMatchObject({ failed: 0, ok: true });
      const found = await verifyLoad(log("file"), weir.verifyDeps("file"));
      expect(found).toMatchObject({
        distinct_sent: facts.rows,
        stored: facts.rows,
        duplicate: sent.copies,
        copies_sent: sent.copies,
        mismatches: [],
        ok: true,
      });
    },
    minutes,
  );

  it("with late and bad events stores the late ones and keeps the bad ones apart", async () => {
    const shares = { late: 0.2, bad: 0.1, duplicate: 0.3 };
    const sent = await load("synthetic", { ...shares, seconds: 1, rate: 3000, batch: 50 });
    expect(sent.bad).toBeGreaterThan(0);
    const found = await verifyLoad(log("synthetic"), weir.verifyDeps("synthetic"));
    expect(found).toMatchObject({
      quarantined: sent.bad,
      bad_sent: sent.bad,
      duplicate: sent.copies,
      mismatches: [],
    });
  });

  it("is found out where the store holds more than was sent, or the account tells of what never came", async () => {
    const sent = await load("mixed", { seconds: 0.2, rate: 1000, batch: 50, duplicate: 0 });
    const entry = { sent: 1e6, attempt: 1, good: ["nobody"], bad: [], copies: [] };
    const counts = { batch_ids: [], received: 1, accepted: 1, duplicate: 0, quarantined: 0 };
    writeFileSync(
      log("mixed"),
      [entry, { acked: 1e6, attempt: 1, ...counts }].map((line) => `${JSON.stringify(line)}\n`).join(""),
      {
        flag: "a",
      },
    );
    const found = await verifyLoad(log("mixed"), weir.verifyDeps("mixed"));
    expect(found).toMatchObject({ distinct_sent: sent.sent + 1, missing: 1, ok: false });
  });
});
