// The numbers of a collector's records: none missing, none told of too early.
import { describe, expect, it } from "vitest";
import { createReceipts } from "../../collector/receipt.ts";

describe("receipts", () => {
  it("number one run's records from 0 without gaps", () => {
    const receipts = createReceipts("west", 77);
    const taken = [receipts.take(), receipts.take(), receipts.take()];
    expect(taken.map(({ number }) => number)).toEqual([0, 1, 2]);
    expect(taken[0]).toEqual({ collector: "west", start: 77, number: 0, lowestOpen: 0, givenUp: [] });
  });

  it("name the lowest number still open, in whatever order they end", () => {
    const receipts = createReceipts("west", 77);
    const [first, second, third] = [receipts.take(), receipts.take(), receipts.take()];
    receipts.stored(second);
    expect(receipts.take().lowestOpen).toBe(0);
    receipts.stored(first);
    expect(receipts.take().lowestOpen).toBe(2);
    receipts.stored(third);
    expect(receipts.take().lowestOpen).toBe(3);
  });

  it("tell of a number given up once the log has that word, and hold the mark until then", () => {
    const receipts = createReceipts("west", 77);
    const lost = receipts.take();
    receipts.gaveUp(lost);
    const telling = receipts.take();
    expect(telling).toMatchObject({ number: 1, lowestOpen: 0, givenUp: [0] });
    // Meanwhile another record has nothing to tell, and does not pass number 0 by.
    expect(receipts.take()).toMatchObject({ number: 2, lowestOpen: 0, givenUp: [] });
    receipts.gaveUp(telling);
    const both = receipts.take();
    expect(both).toMatchObject({ number: 3, lowestOpen: 0, givenUp: [0, 1] });
    receipts.stored(both);
    expect(receipts.take()).toMatchObject({ number: 4, lowestOpen: 2, givenUp: [] });
  });

  it("count what waits to be told and what is under way", () => {
    const receipts = createReceipts("west", 77);
    const [first, second] = [receipts.take(), receipts.take()];
    receipts.gaveUp(first);
    expect([receipts.untold(), receipts.underWay()]).toEqual([1, 1]);
    receipts.stored(second);
    expect([receipts.untold(), receipts.underWay()]).toEqual([1, 0]);
    const telling = receipts.take();
    expect([receipts.untold(), receipts.underWay()]).toEqual([1, 1]);
    receipts.stored(telling);
    expect([receipts.untold(), receipts.underWay()]).toEqual([0, 0]);
  });

  it("account for every number under any order of ends", () => {
    for (let seed = 1; seed <= 200; seed += 1) {
      let state = seed;
      const roll = (below: number): number => {
        state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
        return (state >> 8) % below;
      };
      const receipts = createReceipts("west", 77);
      const open: ReturnType<typeof receipts.take>[] = [];
      const seen = new Set<number>();
      const givenUp = new Set<number>();
      for (let step = 0; step < 60; step += 1) {
        if (open.length === 0 || roll(2) === 0) open.push(receipts.take());
        else {
          const [ended] = open.splice(roll(open.length), 1);
          if (ended === undefined) continue;
          if (roll(3) === 0) receipts.gaveUp(ended);
          else {
            receipts.stored(ended);
            seen.add(ended.number);
            for (const number of ended.givenUp) givenUp.add(number);
            for (let number = 0; number < ended.lowestOpen; number += 1) {
              expect(seen.has(number) || givenUp.has(number), `seed ${seed}, number ${number}`).toBe(true);
            }
          }
        }
      }
    }
  });
});
