// What `weir reconcile` prints and how it ends: once, part by part, and watching.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Store } from "../../aggregator/store/store.ts";
import type { Log } from "../../shared/log/log.ts";
import { openLog } from "../../shared/log/open.ts";
import { openProcesses } from "../support/processes.ts";
import { until } from "../support/until.ts";
import { noon, recordOf } from "./records.ts";
import { closeScene, openHand, openScene } from "./scene.ts";

const root = join(import.meta.dirname, "../..");
const minutes = 120_000;

describe("weir reconcile", () => {
  const folder = mkdtempSync(join(tmpdir(), "weir-reconcile-command-"));
  const processes = openProcesses();
  let store: Store;
  let log: Log;
  let settings: Record<string, string>;
  const weir = (...words: string[]) => processes.run(["reconcile", ...words], settings);

  beforeAll(async () => {
    const url = `embedded:${folder}/postgres`;
    store = await openScene(url);
    const logUrl = `sqlite:${folder}/log.sqlite`;
    log = await openLog(logUrl, { topic: "weir.events", allowWeak: true });
    await log.create();
    // Written by hand, past the log: its positions are another log's, and the sums are what counts here.
    const hand = await openHand(store);
    for (const [at, project] of ["shop", "shop", "blog"].entries()) {
      const receivedAt = noon + at * 3_600_000;
      await hand.write(
        0,
        recordOf([{ name: `e-${at}` }, { name: "copy", content: "x" }], { project, receivedAt }),
      );
    }
    await hand.close();
    settings = {
      WEIR_STORE_URL: url,
      WEIR_STORE_SCHEMA: store.schema,
      WEIR_LOG_URL: logUrl,
      WEIR_DATA_DIR: folder,
    };
  }, minutes);
  afterAll(async () => {
    await processes.close();
    await closeScene(store);
    rmSync(folder, { recursive: true, force: true });
  });

  it("adds up, and ends with 0", async () => {
    const { code, result } = await weir("--json");
    expect(code).toBe(0);
    expect(result).toMatchObject({ ok: true, received: 6, stored: 5, duplicate: 1, lost: 0, groups: [] });
  });

  it("shows the same part by part", async () => {
    const { said } = await weir("--by", "project");
    expect(said).toContain("received 6 = stored 5 + duplicate 1 + quarantined 0 (+ in flight 0), lost 0\n");
    expect(said).toContain("shop  received 4 = stored 3 + duplicate 1 + quarantined 0 (+ in flight 0)\n");
    expect(said).toContain("blog  received 2 = stored 2 + duplicate 0 + quarantined 0 (+ in flight 0)\n");
    const { result } = await weir("--json", "--by", "hour", "--project", "blog");
    expect(result["groups"]).toEqual([expect.objectContaining({ received: 2, stored: 2 })]);
  });

  it.each([["--by", "moon"], ["--every", "0"], ["--keep"], ["--from", "yesterday"]])(
    "ends with 2 where it is misused: %s %s",
    async (...words) => {
      expect((await weir(...words.filter((word) => word !== undefined))).code).toBe(2);
    },
  );

  it("ends with 1 and says so where a spool cannot be looked into", async () => {
    const { code, said } = await weir("--spool", join(folder, "nowhere"));
    expect(code).toBe(1);
    expect(said).toContain("a spool cannot be looked into");
  });

  it("ends with 1 and says so where the log was made anew", async () => {
    await store.sql`
      insert into log_replacements (topic, log_id, replaced_by) values ('weir.events', 'old', 'new')`;
    const { code, said } = await weir();
    await store.sql`delete from log_replacements`;
    expect(code).toBe(1);
    expect(said).toContain("the log old was made anew as new");
  });

  it(
    "lives with what somebody acknowledged, keeps it in sight, and with no more than that",
    async () => {
      const reader = await log.reader();
      const { id } = reader.identity;
      await reader.close();
      await store.sql`
        insert into log_replacements (topic, log_id, replaced_by) values ('weir.events', 'old', 'new')`;
      await store.sql`
        insert into log_holes (log_id, topic, partition, from_offset, to_offset) values (${id}, 'weir.events', 0, 0, 3)`;
      const before = await weir("--json");
      expect(before.code).toBe(1);
      expect(before.result).toMatchObject({ ok: false, lost: 3, unaccounted: [expect.any(String)] });
      const entries = before.result["entries"] as { entry: string; kind: string; acknowledged: unknown }[];
      expect(entries.map(({ kind, acknowledged }) => [kind, acknowledged])).toEqual([
        ["hole", null],
        ["replaced", null],
      ]);
      const [hole, replaced] = entries.map(({ entry }) => ["--acknowledge", entry]) as [string[], string[]];
      for (const words of [
        hole,
        [...hole, "--note", " "],
        ["--note", "why"],
        ["--acknowledge", "x", "--note", "why"],
      ])
        expect((await weir(...words)).code, words.join(" ")).toBe(2);
      expect((await weir(...hole, "--note", "a disk was lost")).code).toBe(1);
      const after = await weir("--json", ...replaced, "--note", "a new cluster");
      expect(after.code).toBe(0);
      expect(after.result).toMatchObject({ ok: true, lost: 3, unaccounted: [] });
      expect((await weir()).said).toMatch(
        /lacked the records from 0 up to 3.*acknowledged by command .*: a disk was lost/,
      );
      const noted =
        await store.sql`select target, outcome, why from audit where action = 'acknowledge' order by audit_id`;
      expect([...noted]).toEqual([
        { target: `hole ${hole[1]}`, outcome: "3 records", why: "a disk was lost" },
        { target: `replaced ${replaced[1]}`, outcome: "", why: "a new cluster" },
      ]);
      await store.sql`update ledger_acknowledgements set records = 2 where entry = ${hole[1]!}`;
      expect((await weir()).code).toBe(1);
      await store.sql`delete from log_holes`;
      await store.sql`delete from log_replacements`;
      expect((await weir()).code).toBe(0);
    },
    minutes,
  );

  it("reports what is no fault of ours, and ends with 0", async () => {
    const { code, said } = await weir("--reports");
    expect(code).toBe(0);
    expect(said).toContain("report restamped: nothing");
  });

  const watch = (...words: string[]) => {
    const { PATH = "", HOME = "" } = process.env;
    const child: ChildProcess = spawn(
      process.execPath,
      [join(root, "weir.ts"), "reconcile", "--watch", "--every", "0.2", ...words],
      { cwd: root, env: { PATH, HOME, ...settings }, stdio: ["ignore", "pipe", "inherit"] },
    );
    let said = "";
    child.stdout!.on("data", (bytes: Buffer) => {
      said += String(bytes);
    });
    const ended = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
    return { child, ended, looks: () => said.split("\n").length - 1, said: () => said };
  };

  it(
    "watches until it is told to end, and ends with 1 at the first look that does not hold",
    async () => {
      const calm = watch();
      await until("it has looked three times", 20_000, () => calm.looks() >= 3);
      calm.child.kill("SIGINT");
      expect(await calm.ended).toBe(0);
      const uneasy = watch();
      const patient = watch("--keep");
      await until("both have looked", 20_000, () => uneasy.looks() >= 1 && patient.looks() >= 1);
      const [gone] = await store.sql`
      delete from events where event_id = 'e-0' returning row_to_json(events) as row`;
      expect(gone).toBeDefined();
      expect(await uneasy.ended).toBe(1);
      expect(uneasy.said()).toContain("check conservation fails");
      await until("the other looks on", 20_000, () => patient.said().includes("check conservation fails"));
      await store.sql`insert into events select * from json_populate_record(null::events, ${gone!["row"]}::json)`;
      const failed = patient.looks();
      await until("it looks again", 20_000, () => patient.looks() >= failed + 4);
      patient.child.kill("SIGINT");
      expect(await patient.ended).toBe(0);
    },
    minutes,
  );
});
