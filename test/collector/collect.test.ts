// The pipeline of one batch: what is claimed, published, settled and answered, and what a failure leaves.
import { describe, expect, it } from "vitest";
import { type ClaimRequest, type ClaimStore, claimFound } from "../../collector/claims/claims.ts";
import { createMemoryClaims } from "../../collector/claims/memory.ts";
import { createCollect } from "../../collector/collect.ts";
import { createPublisher } from "../../collector/publish.ts";
import { createReceipts } from "../../collector/receipt.ts";
import { createSettler } from "../../collector/settle.ts";
import { claimLeaseMs } from "../../shared/limits.ts";
import { outcome } from "../../shared/wire/batch.ts";
import { partitionOf } from "../../shared/wire/partition.ts";
import { manualClock } from "../support/clock.ts";
import { batchOf, fakeLog, type TestEvent } from "./batches.ts";

const { published, inDoubt, unchecked, duplicate, refused } = outcome;

function station(options: { bytesMax?: number; claims?: Partial<ClaimStore> } = {}) {
  const clock = manualClock();
  const log = fakeLog();
  const claims: ClaimStore = { ...createMemoryClaims({ clock }), ...options.claims };
  const settler = createSettler(claims);
  const publisher = createPublisher({
    producer: log.producer,
    receipts: createReceipts("west", clock.now()),
    ...(options.bytesMax === undefined ? {} : { bytesMax: options.bytesMax }),
  });
  const collect = createCollect({ claims, publisher, settler, clock });
  const send = async (batch: number, events: readonly TestEvent[]): Promise<number[]> => {
    const answer = await collect(batchOf(batch, events));
    await settler.idle();
    return [...answer.outcomes];
  };
  return { clock, log, claims, collect, send, settler };
}

const three = [{ identity: 1 }, { identity: 2 }, { identity: 3 }];

describe("a batch", () => {
  it("becomes one record in the partition of its id, and its own receipt", async () => {
    const { log, clock, collect } = station();
    const batch = batchOf(7, [...three, { identity: 4, refused: "invalid_type" }]);
    const answer = await collect(batch);
    expect(answer.batchId).toEqual(batch.batchId);
    expect([...answer.outcomes]).toEqual([published, published, published, refused]);
    expect(log.records).toHaveLength(1);
    const [{ partition, record }] = log.records as [(typeof log.records)[0]];
    expect(partition).toBe(partitionOf(batch.batchId, 24));
    expect([...record.outcomes]).toEqual([...answer.outcomes]);
    expect(Buffer.from(record.batch.bodies)).toEqual(Buffer.from(batch.bodies));
    expect(record.batch.refusals).toEqual(batch.refusals);
    expect(record.receipt).toEqual({
      collector: "west",
      start: clock.now(),
      number: 0,
      lowestOpen: 0,
      givenUp: [],
    });
  });

  it("sent again is answered as the first time and published no more", async () => {
    const { log, send } = station();
    await send(1, [{ identity: 1 }]);
    const events = [...three, { identity: 9, refused: "invalid_type" as const }];
    const first = await send(2, events);
    expect(first).toEqual([duplicate, published, published, refused]);
    expect(await send(2, events)).toEqual(first);
    expect(log.records).toHaveLength(2);
  });

  it("of copies alone is written down all the same, without their bodies", async () => {
    const { log, send } = station();
    await send(1, three);
    expect(await send(2, three)).toEqual([duplicate, duplicate, duplicate]);
    expect(log.records).toHaveLength(2);
    expect(log.records[1]?.record.batch.bodies).toHaveLength(0);
  });

  it("of refused events alone claims nothing and is written down", async () => {
    const asked: number[] = [];
    const { log, send } = station({
      claims: {
        claim: async (request) => {
          asked.push(request.count);
          return new Uint8Array(request.count);
        },
      },
    });
    expect(await send(1, [{ identity: 1, refused: "event_malformed" }])).toEqual([refused]);
    expect(log.records).toHaveLength(1);
    expect(asked).toEqual([]);
  });

  it("with an event twice publishes both, the second in doubt", async () => {
    const { log, send } = station();
    const copies = [{ identity: 1 }, { identity: 1 }, { identity: 1, content: 5 }];
    expect(await send(1, copies)).toEqual([published, inDoubt, inDoubt]);
    expect(log.records[0]?.record.batch.sizes).toEqual([11, 11, 11]);
    expect(await send(1, copies)).toEqual([published, published, published]);
    expect(log.records).toHaveLength(1);
  });

  it("with another content under a known identity publishes it in doubt", async () => {
    const { send } = station();
    await send(1, [{ identity: 1, content: 1 }]);
    expect(await send(2, [{ identity: 1, content: 2 }])).toEqual([inDoubt]);
    // The first content stands in the claims.
    expect(await send(3, [{ identity: 1, content: 1 }])).toEqual([duplicate]);
  });

  it("does not call a copy a duplicate while the first is on its way", async () => {
    const { log, collect, settler } = station();
    const go = log.hold();
    const first = collect(batchOf(1, three));
    const second = collect(batchOf(2, three));
    const same = collect(batchOf(1, three));
    go();
    expect([...(await first).outcomes]).toEqual([published, published, published]);
    expect([...(await second).outcomes]).toEqual([inDoubt, inDoubt, inDoubt]);
    expect([...(await same).outcomes]).toEqual([inDoubt, inDoubt, inDoubt]);
    await settler.idle();
    expect(log.records).toHaveLength(3);
  });

  it("is refused while too many bytes wait, before anything is claimed", async () => {
    const { log, send, collect } = station({ bytesMax: 400 });
    const go = log.hold();
    const first = collect(batchOf(1, three));
    await expect(collect(batchOf(2, three))).rejects.toMatchObject({ code: "overloaded" });
    go();
    await first;
    expect(await send(2, [{ identity: 11 }])).toEqual([published]);
  });
});

describe("settled is", () => {
  it("what the record published, and nothing else", async () => {
    const settled: ClaimRequest[] = [];
    const found = [claimFound.nothing, claimFound.doneSameContent, claimFound.pending, claimFound.nothing];
    const { send } = station({
      claims: {
        claim: async () => Uint8Array.from(found),
        settle: async (request) => void settled.push(request),
      },
    });
    const events = [1, 2, 3, 4].map((identity) => ({ identity }));
    const withRefused = [events[0]!, { identity: 9, refused: "invalid_type" as const }, ...events.slice(1)];
    expect(await send(1, withRefused)).toEqual([published, refused, duplicate, inDoubt, published]);
    const batch = batchOf(1, withRefused);
    const rows = [0, 3, 4].map((index) => batch.hashes.subarray(index * 16, index * 16 + 16));
    expect(settled).toHaveLength(1);
    expect(settled[0]).toMatchObject({ count: 3, batchId: batch.batchId });
    expect(Buffer.from(settled[0]!.hashes)).toEqual(Buffer.concat(rows));
  });

  it("nothing of a batch that the log has already", async () => {
    const { log, send, claims } = station();
    await send(1, three);
    const settled: ClaimRequest[] = [];
    claims.settle = async (request) => void settled.push(request);
    await send(1, three);
    expect([settled.length, log.records.length]).toEqual([0, 1]);
  });

  it("not waited for, and its failure changes no answer", async () => {
    const { log, collect } = station({ claims: { settle: () => new Promise(() => {}) } });
    const answer = await collect(batchOf(1, three));
    expect([...answer.outcomes]).toEqual([published, published, published]);
    expect(log.records).toHaveLength(1);
    const failing = station({
      claims: { settle: async () => Promise.reject(new Error("read-only")) },
    });
    expect(await failing.send(1, three)).toEqual([published, published, published]);
  });
});

describe("with claims that fail", () => {
  it("every event is published unchecked", async () => {
    const { log, send } = station({
      claims: { claim: async () => Promise.reject(new Error("unreachable")) },
    });
    const events = [...three, { identity: 4, refused: "invalid_type" as const }];
    expect(await send(1, events)).toEqual([unchecked, unchecked, unchecked, refused]);
    expect(await send(1, events)).toEqual([unchecked, unchecked, unchecked, refused]);
    expect(log.records).toHaveLength(2);
  });

  it("an answer for another number of events is no answer", async () => {
    const { send } = station({ claims: { claim: async () => new Uint8Array(1).fill(3) } });
    expect(await send(1, three)).toEqual([unchecked, unchecked, unchecked]);
  });

  it("an event published unchecked is settled once they answer again", async () => {
    const { claims, send } = station();
    const { claim } = claims;
    claims.claim = async () => Promise.reject(new Error("unreachable"));
    await send(1, three);
    claims.claim = claim;
    expect(await send(2, three)).toEqual([duplicate, duplicate, duplicate]);
    expect(await send(1, three)).toEqual([published, published, published]);
  });
});

describe("a publish that", () => {
  it("stored nothing answers 503 and frees the leases of its own attempt alone", async () => {
    const { log, claims, send } = station();
    const other = batchOf(9, [{ identity: 2 }]);
    await claims.claim({ ...other, attempt: new Uint8Array(8) });
    log.fail("not_stored");
    await expect(send(1, three)).rejects.toMatchObject({ code: "log_unavailable" });
    log.fail(undefined);
    expect(await send(2, three)).toEqual([published, inDoubt, published]);
  });

  it("may have stored it answers 503 and keeps the leases until they run out", async () => {
    const { clock, log, send } = station();
    log.fail("unknown", true);
    await expect(send(1, three)).rejects.toMatchObject({ code: "log_unavailable" });
    log.fail(undefined);
    expect(await send(2, three)).toEqual([inDoubt, inDoubt, inDoubt]);
    await clock.advance(claimLeaseMs);
    log.fail("unknown", false);
    await expect(send(3, [{ identity: 20 }])).rejects.toMatchObject({ code: "log_unavailable" });
    log.fail(undefined);
    await clock.advance(claimLeaseMs);
    expect(await send(4, [{ identity: 20 }])).toEqual([published]);
  });

  it("broke its driver is taken for one that may have stored it", async () => {
    const { log, send } = station();
    log.fail("fault");
    await expect(send(1, three)).rejects.toMatchObject({ code: "log_unavailable" });
    log.fail(undefined);
    expect(await send(1, three)).toEqual([inDoubt, inDoubt, inDoubt]);
  });

  it("is refused for its size answers 413, for anything else 503, and frees its leases", async () => {
    const { log, collect, send } = station();
    log.fail("refused");
    await expect(send(1, three)).rejects.toMatchObject({ code: "log_unavailable" });
    const small = batchOf(2, [{ identity: 5 }]);
    const large = { ...small, sizes: [2_000_000], bodies: new Uint8Array(2_000_000) };
    await expect(collect(large)).rejects.toMatchObject({ code: "record_too_large" });
    log.fail(undefined);
    expect(await send(3, [...three, { identity: 5 }])).toEqual([published, published, published, published]);
  });

  it("is over the limit of a record never reaches the log", async () => {
    const { log, collect, send } = station();
    const small = batchOf(2, [{ identity: 5 }]);
    const large = { ...small, sizes: [5_000_000], bodies: new Uint8Array(5_000_000) };
    await expect(collect(large)).rejects.toMatchObject({ code: "record_too_large" });
    expect(log.records).toEqual([]);
    expect(await send(3, [{ identity: 5 }])).toEqual([published]);
    expect(log.records[0]?.record.receipt).toMatchObject({ number: 1, lowestOpen: 0, givenUp: [0] });
  });

  it("fails is told of by the next record", async () => {
    const { log, send } = station();
    for (const failure of ["not_stored", "unknown"] as const) {
      log.fail(failure);
      await expect(send(1, three)).rejects.toMatchObject({ code: "log_unavailable" });
    }
    log.fail(undefined);
    await send(1, three);
    await send(2, [{ identity: 8 }]);
    expect(log.records.map(({ record }) => record.receipt)).toMatchObject([
      { number: 2, lowestOpen: 0, givenUp: [0, 1] },
      { number: 3, lowestOpen: 3, givenUp: [] },
    ]);
  });

  it("is one of a thousand failures leaves the trying to one at a time", async () => {
    const { log, send, collect } = station();
    log.fail("not_stored");
    for (let failed = 0; failed < 1_000; failed += 1) await collect(batchOf(1, three)).catch(() => {});
    const go = log.hold();
    const trying = collect(batchOf(1, three));
    await expect(collect(batchOf(2, [{ identity: 7 }]))).rejects.toMatchObject({ code: "log_unavailable" });
    go();
    await expect(trying).rejects.toMatchObject({ code: "log_unavailable" });
    log.fail(undefined);
    await send(1, three);
    const [stored] = log.records;
    expect(stored?.record.receipt).toMatchObject({ number: 1_001, lowestOpen: 0 });
    expect(stored?.record.receipt.givenUp).toHaveLength(1_001);
  });
});
