// A project's events of a UTC day: how many are taken, who is refused, and what a store that is down changes.
import { describe, expect, it } from "vitest";
import type { ClaimStore } from "../../collector/claims/claims.ts";
import { createMemoryClaims } from "../../collector/claims/memory.ts";
import { createCollect } from "../../collector/collect.ts";
import { createPublisher } from "../../collector/publish.ts";
import { createReceipts } from "../../collector/receipt.ts";
import { createSettler } from "../../collector/settle.ts";
import { WeirError } from "../../shared/problem.ts";
import { packBatch, unpackBatch } from "../../shared/wire/batch.ts";
import { manualClock } from "../support/clock.ts";
import { batchOf, fakeLog } from "./batches.ts";

const midnight = Date.UTC(2026, 10, 21);
const hourMs = 3_600_000;

function world() {
  const clock = manualClock(midnight - 2 * hourMs);
  const shared = createMemoryClaims({ clock });
  let next = 1;
  const station = (changed: Partial<ClaimStore> = {}) => {
    const claims = { ...shared, ...changed };
    const log = fakeLog();
    const publisher = createPublisher({
      producer: log.producer,
      receipts: createReceipts("west", clock.now()),
    });
    const settler = createSettler(claims);
    const collect = createCollect({ claims, publisher, settler, clock });
    const send = async (events: number, quota: number | null = 10, project = "shop") => {
      const from = next;
      next += events;
      const made = Array.from({ length: events }, (_, at) => ({ identity: from + at }));
      const batch = { ...batchOf(from, made), project, quota };
      return await collect(batch).then(
        () => "taken",
        (error: unknown) => (error instanceof WeirError ? error : Promise.reject(error)),
      );
    };
    return { send, collect, log };
  };
  return { clock, station };
}

const over = { code: "quota_exceeded" };

describe("a quota", () => {
  it("takes events up to it, and refuses with the wait until the next day", async () => {
    const { station } = world();
    const { send, log } = station();
    expect(await send(8)).toBe("taken");
    expect(await send(3)).toMatchObject({ ...over, retryAfterMs: 2 * hourMs });
    expect(await send(2)).toBe("taken");
    expect(await send(1)).toMatchObject(over);
    expect(log.records).toHaveLength(2);
  });

  it("begins anew at midnight UTC", async () => {
    const { clock, station } = world();
    const { send } = station();
    await send(10);
    expect(await send(1)).toMatchObject(over);
    await clock.advance(2 * hourMs);
    expect(await send(10)).toBe("taken");
  });

  it("is one project's, and nobody's who has none", async () => {
    const { send } = world().station();
    await send(10);
    expect(await send(10, 10, "blog")).toBe("taken");
    expect(await send(500, null)).toBe("taken");
    expect(await send(1)).toMatchObject(over);
  });

  it("is shared by collectors, and known to one that starts", async () => {
    const { station } = world();
    const [one, two] = [station(), station()];
    expect(await one.send(6)).toBe("taken");
    expect(await two.send(6)).toMatchObject(over);
    expect(await two.send(4)).toBe("taken");
    expect(await station().send(1)).toMatchObject(over);
  });

  it("counts what is under way, so that many at once do not pass it", async () => {
    const { log, send } = world().station();
    const release = log.hold();
    const sent = [4, 4, 4].map((events) => send(events));
    release();
    const answers = await Promise.all(sent);
    expect(answers.filter((answer) => answer === "taken")).toHaveLength(2);
  });

  it("does not count copies, a batch sent again, or what was not taken", async () => {
    const { log, collect, send } = world().station();
    const batch = { ...batchOf(77, [{ identity: 900 }, { identity: 901 }]), quota: 10 };
    await collect(batch);
    await collect(batch);
    await collect({ ...batchOf(78, [{ identity: 900 }, { identity: 901 }]), quota: 10 });
    log.fail("not_stored");
    expect(await send(8)).toMatchObject({ code: "log_unavailable" });
    log.fail(undefined);
    expect(await send(8)).toBe("taken");
    expect(await send(1)).toMatchObject(over);
  });

  it("refuses nobody while the counters cannot be asked, and counts for itself meanwhile", async () => {
    const down = async (): Promise<never> => {
      throw new Error("unreachable");
    };
    const { send } = world().station({ count: down });
    expect(await send(10)).toBe("taken");
    expect(await send(1)).toMatchObject(over);
  });

  it("travels with the batch and is passed over by who does not know it", () => {
    const batch = batchOf(1, [{ identity: 1 }]);
    expect(unpackBatch(packBatch({ ...batch, quota: 9 })).quota).toBe(9);
    expect(unpackBatch(packBatch({ ...batch, quota: null }))).not.toHaveProperty("quota");
    expect(packBatch({ ...batch, quota: null })).toEqual(packBatch(batch));
  });
});
