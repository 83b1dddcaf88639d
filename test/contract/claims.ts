// What every claim driver keeps, whichever it is: one suite, run on each.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ClaimRequest, type ClaimStore, claimFound } from "../../collector/claims/claims.ts";

/** Times a driver is opened with, in ms; the limits' own where absent. */
export interface ClaimTimesOption {
  leaseMs?: number;
  doneMs?: number;
}

/** A store under test, which any number of clients can open. */
export interface ClaimsUnderTest {
  open(prefix: Uint8Array, times?: ClaimTimesOption): Promise<ClaimStore>;
  /** Lets time pass, for real where the store has a clock of its own. */
  pass(ms: number): Promise<void>;
  stop(): Promise<void>;
}

const { nothing, pending, doneSameBatch, doneSameContent, doneOtherContent } = claimFound;
const bytes = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length));

/** A request over `count` new keys; members given stand in place of random ones. */
export function claimRequest(count: number, given: Partial<ClaimRequest> = {}): ClaimRequest {
  return {
    batchId: bytes(16),
    attempt: bytes(8),
    count,
    hashes: bytes(16 * count),
    fingerprints: bytes(8 * count),
    ...given,
  };
}

const again = (request: ClaimRequest): ClaimRequest => ({ ...request, attempt: bytes(8) });
const otherBatch = (request: ClaimRequest): ClaimRequest => ({ ...again(request), batchId: bytes(16) });
const otherContent = (request: ClaimRequest): ClaimRequest => ({
  ...otherBatch(request),
  fingerprints: bytes(request.count * 8),
});

export function claimsContract(name: string, start: () => Promise<ClaimsUnderTest>): void {
  describe(`claims kept by ${name}`, () => {
    let under: ClaimsUnderTest;
    const opened: ClaimStore[] = [];
    beforeAll(async () => {
      under = await start();
    });
    afterAll(async () => {
      await Promise.all(opened.map((store) => store.close()));
      await under?.stop();
    });
    const open = async (prefix = bytes(8), times?: ClaimTimesOption): Promise<ClaimStore> => {
      const store = await under.open(prefix, times);
      opened.push(store);
      return store;
    };
    const claimed = async (store: ClaimStore, request: ClaimRequest): Promise<number[]> => [
      ...(await store.claim(request)),
    ];

    describe("what a claim finds", () => {
      it("is nothing for new keys, then pending for everyone, the same batch included", async () => {
        const store = await open();
        const first = claimRequest(3);
        expect(await claimed(store, first)).toEqual([nothing, nothing, nothing]);
        expect(await claimed(store, first)).toEqual([pending, pending, pending]);
        expect(await claimed(store, again(first))).toEqual([pending, pending, pending]);
        expect(await claimed(store, otherBatch(first))).toEqual([pending, pending, pending]);
        expect(await claimed(store, otherContent(first))).toEqual([pending, pending, pending]);
      });

      it("tells a settled key's own batch, the same content and another content apart", async () => {
        const store = await open();
        const first = claimRequest(2);
        await store.claim(first);
        await store.settle(first);
        expect(await claimed(store, again(first))).toEqual([doneSameBatch, doneSameBatch]);
        expect(await claimed(store, otherBatch(first))).toEqual([doneSameContent, doneSameContent]);
        expect(await claimed(store, otherContent(first))).toEqual([doneOtherContent, doneOtherContent]);
        const reworked = { ...otherContent(first), batchId: first.batchId };
        expect(await claimed(store, reworked)).toEqual([doneSameBatch, doneSameBatch]);
      });

      it("takes contents without a fingerprint for the same", async () => {
        const store = await open();
        const first = claimRequest(2, { fingerprints: new Uint8Array(16) });
        await store.claim(first);
        await store.settle(first);
        expect(await claimed(store, otherBatch(first))).toEqual([doneSameContent, doneSameContent]);
      });

      it("answers key by key", async () => {
        const store = await open();
        const held = claimRequest(1);
        const done = claimRequest(1);
        const fresh = claimRequest(1);
        await store.claim(held);
        await store.settle(done);
        const join = (column: "hashes" | "fingerprints") =>
          Buffer.concat([fresh, done, held, fresh, done].map((request) => request[column]));
        const mixed = claimRequest(5, { hashes: join("hashes"), fingerprints: join("fingerprints") });
        const expected = [nothing, doneSameContent, pending, pending, doneSameContent];
        expect(await claimed(store, mixed)).toEqual(expected);
      });

      it("is pending for the second of one key twice in a request", async () => {
        const store = await open();
        const one = claimRequest(1);
        const hashes = Buffer.concat([one.hashes, one.hashes, one.hashes]);
        const twice = claimRequest(3, { hashes, fingerprints: bytes(24) });
        expect(await claimed(store, twice)).toEqual([nothing, pending, pending]);
        await store.settle(twice);
        // The first of them stands.
        const first = {
          ...claimRequest(1),
          hashes: one.hashes,
          fingerprints: twice.fingerprints.slice(0, 8),
        };
        expect(await claimed(store, first)).toEqual([doneSameContent]);
        const last = { ...first, fingerprints: twice.fingerprints.slice(16) };
        expect(await claimed(store, last)).toEqual([doneOtherContent]);
      });

      it("is right for 500 keys at once, and for keys and contents of every byte", async () => {
        const store = await open();
        const all = Uint8Array.from({ length: 16 * 500 }, (_, at) => (at % 16 === 0 ? at >> 4 : at) & 255);
        all.forEach((_, at) => {
          if (at % 16 === 1) all[at] = at >> 12;
        });
        const contents = Uint8Array.from({ length: 8 * 500 }, (_, at) => (at * 7) & 255);
        const every = claimRequest(500, { hashes: all, fingerprints: contents });
        expect(new Set(await claimed(store, every))).toEqual(new Set([nothing]));
        await store.settle(every);
        expect(new Set(await claimed(store, otherBatch(every)))).toEqual(new Set([doneSameContent]));
        expect(new Set(await claimed(store, again(every)))).toEqual(new Set([doneSameBatch]));
      });

      it("reads columns that are views into a larger buffer", async () => {
        const store = await open();
        const plain = claimRequest(4);
        const view = (column: Uint8Array) => Buffer.concat([bytes(3), column, bytes(5)]).subarray(3, -5);
        const shifted = { ...plain, hashes: view(plain.hashes), fingerprints: view(plain.fingerprints) };
        await store.settle({ ...shifted, batchId: view(plain.batchId), attempt: view(plain.attempt) });
        expect(await claimed(store, otherBatch(plain))).toEqual(Array(4).fill(doneSameContent));
        expect(await claimed(store, again(plain))).toEqual(Array(4).fill(doneSameBatch));
      });
    });

    describe("settle", () => {
      it("goes over anyone's lease", async () => {
        const store = await open();
        const holder = claimRequest(1);
        await store.claim(holder);
        const publisher = otherBatch(holder);
        await store.settle(publisher);
        expect(await claimed(store, again(publisher))).toEqual([doneSameBatch]);
        expect(await claimed(store, again(holder))).toEqual([doneSameContent]);
      });

      it("writes down a key that was never claimed", async () => {
        const store = await open();
        const unchecked = claimRequest(2);
        await store.settle(unchecked);
        expect(await claimed(store, otherBatch(unchecked))).toEqual([doneSameContent, doneSameContent]);
      });

      it("leaves a done key its batch and its content", async () => {
        const store = await open();
        const first = claimRequest(1);
        await store.settle(first);
        const conflict = otherContent(first);
        await store.settle(conflict);
        expect(await claimed(store, again(first))).toEqual([doneSameBatch]);
        expect(await claimed(store, again(conflict))).toEqual([doneOtherContent]);
      });
    });

    describe("release", () => {
      it("frees what its own attempt holds", async () => {
        const store = await open();
        const first = claimRequest(2);
        await store.claim(first);
        await store.release(first);
        expect(await claimed(store, otherBatch(first))).toEqual([nothing, nothing]);
      });

      it("frees nothing that another attempt holds", async () => {
        const store = await open();
        const first = claimRequest(1);
        await store.claim(first);
        await store.release(again(first));
        expect(await claimed(store, again(first))).toEqual([pending]);
      });

      it("frees nothing that is done", async () => {
        const store = await open();
        const first = claimRequest(1);
        await store.claim(first);
        await store.settle(first);
        await store.release(first);
        expect(await claimed(store, again(first))).toEqual([doneSameBatch]);
      });

      it("of keys never claimed does nothing", async () => {
        const store = await open();
        const request = claimRequest(2);
        await store.release(request);
        expect(await claimed(store, request)).toEqual([nothing, nothing]);
      });
    });

    describe("time", () => {
      it("ends a lease, and the next claim takes the key", async () => {
        const store = await open(bytes(8), { leaseMs: 1_000, doneMs: 60_000 });
        const first = claimRequest(2);
        await store.claim(first);
        await under.pass(1_050);
        const next = otherBatch(first);
        expect(await claimed(store, next)).toEqual([nothing, nothing]);
        // The lease that lapsed is no one's any more.
        await store.release(first);
        const [found] = await claimed(store, again(next));
        expect(found).toBe(pending);
      });

      it("keeps a done key as long as it is asked for, and forgets it after", async () => {
        const store = await open(bytes(8), { leaseMs: 100, doneMs: 1_000 });
        const first = claimRequest(1);
        await store.settle(first);
        for (let hit = 0; hit < 4; hit += 1) {
          await under.pass(600);
          expect(await claimed(store, otherBatch(first))).toEqual([doneSameContent]);
        }
        await under.pass(2_050);
        expect(await claimed(store, otherBatch(first))).toEqual([nothing]);
      });
    });

    describe("two clients", () => {
      it("never both find nothing", async () => {
        const prefix = bytes(8);
        const clients = await Promise.all([open(prefix), open(prefix), open(prefix)]);
        for (let round = 0; round < 20; round += 1) {
          const { hashes } = claimRequest(50);
          const found = await Promise.all(
            clients.flatMap((store) => [
              store.claim(claimRequest(50, { hashes })),
              store.claim(claimRequest(50, { hashes })),
            ]),
          );
          for (let key = 0; key < 50; key += 1) {
            expect(found.map((codes) => codes[key]).sort()).toEqual([0, 1, 1, 1, 1, 1]);
          }
        }
      });

      it("see what the other settled and released", async () => {
        const prefix = bytes(8);
        const [one, two] = [await open(prefix), await open(prefix)];
        const first = claimRequest(2);
        const second = claimRequest(2);
        await one.claim(first);
        await one.claim(second);
        await one.settle(first);
        await one.release(second);
        expect(await claimed(two, otherBatch(first))).toEqual([doneSameContent, doneSameContent]);
        expect(await claimed(two, second)).toEqual([nothing, nothing]);
      });

      it("of two logs never meet", async () => {
        const [one, two] = [await open(), await open()];
        const request = claimRequest(2);
        await one.settle(request);
        expect(await claimed(two, request)).toEqual([nothing, nothing]);
        await two.release(request);
        expect(await claimed(one, again(request))).toEqual([doneSameBatch, doneSameBatch]);
      });
    });

    it("keep sums of what is added, by name and by log", async () => {
      const prefix = bytes(8);
      const [one, two] = [await open(prefix), await open(prefix)];
      const other = await open();
      const until = Date.now() + 60_000;
      expect(await one.count("a", 0, until)).toBe(0);
      expect(await one.count("a", 7, until)).toBe(7);
      expect(await two.count("a", 500, until)).toBe(507);
      expect(await one.count("a", 0, until)).toBe(507);
      expect(await one.count("shop:ünï 1", 2, until)).toBe(2);
      expect(await other.count("a", 0, until)).toBe(0);
      const sums = await Promise.all([1, 1, 1, 1].map((events) => two.count("b", events, until)));
      expect(sums.sort()).toEqual([1, 2, 3, 4]);
    });

    it("does not forget by itself, and says so", async () => {
      const health = await (await open()).health();
      expect(health.evicts).toBe(false);
      expect(health.detail).not.toBe("");
    });
  });
}
