// A tenure by itself: what it hands over when another leader keeps the partition than before.
import { describe, expect, it } from "vitest";
import { createTenure, type Fetched } from "../../../shared/log/kafka-tenure.ts";
import type { LogReader } from "../../../shared/log/log.ts";
import { silentLogger } from "../../../shared/logger.ts";

const record = (offset: bigint) => ({ offset, time: 0, value: new Uint8Array([Number(offset)]) });
const fetched = (from: bigint, last: bigint, leaders: Fetched["leaders"]): Fetched => {
  const records = Array.from({ length: Number(last - from) + 1 }, (_, at) => record(from + BigInt(at)));
  return { from, last, records, leaders };
};

async function begun(start: bigint) {
  const delivered: bigint[][] = [];
  const placed: bigint[] = [];
  const reader = { ranges: async () => new Map([[0, { start: 0n, end: 9n }]]) } as unknown as LogReader;
  const handler = {
    assigned: async () => new Map([[0, start]]),
    revoked: async () => {},
    deliver: async (_: number, records: readonly { offset: bigint }[]) =>
      void delivered.push(records.map(({ offset }) => offset)),
  };
  const tenure = createTenure({
    ...{ partitions: [0], handler, reader, logger: silentLogger, previous: undefined, jumps: new Map() },
  });
  await tenure.begin((_, offset) => void placed.push(offset));
  return { tenure, delivered, placed };
}

describe("a tenure", () => {
  it("goes back one record where another leader took what comes next", async () => {
    const { tenure, delivered, placed } = await begun(3n);
    expect(await tenure.deliver(0, fetched(3n, 4n, [1, 1]))).toBe("delivered");
    expect(await tenure.deliver(0, fetched(5n, 6n, [2, 2]))).toBe("not_ready");
    expect(placed).toEqual([3n, 4n]);
    expect(await tenure.deliver(0, fetched(4n, 6n, [1, 2]))).toBe("delivered");
    expect(await tenure.deliver(0, fetched(7n, 7n, [2, 2]))).toBe("delivered");
    expect(delivered).toEqual([[3n, 4n], [4n, 5n, 6n], [7n]]);
  });

  it("goes on under another leader that took only what comes later", async () => {
    const { tenure, delivered, placed } = await begun(0n);
    expect(await tenure.deliver(0, fetched(0n, 1n, [1, 2]))).toBe("delivered");
    expect(await tenure.deliver(0, fetched(2n, 2n, [2, 3]))).toBe("delivered");
    expect(await tenure.deliver(0, fetched(3n, 3n, [3, 3]))).toBe("delivered");
    expect(placed).toEqual([0n]);
    expect(delivered).toEqual([[0n, 1n], [2n], [3n]]);
  });
});
