// The pump by itself: whatever moment records come in, they are written or rejected, never left waiting.
import { describe, expect, it } from "vitest";
import { createPump, type Pump } from "../../aggregator/pump.ts";
import type { Prepared } from "../../aggregator/transaction.ts";

const record = (offset: bigint) => ({ offset, time: 0, value: new Uint8Array([0xc0]) });

function pumpOn(prepare: () => Promise<Prepared>, commit: () => Promise<"known">): Pump {
  return createPump({
    writer: { prepare, commit },
    owned: () => [0],
    patiently: (work) => work(),
    written: () => {},
    pause: async () => {},
  });
}

const soon = (work: Promise<unknown>): Promise<unknown> =>
  Promise.race([work.then(() => "written"), Bun.sleep(1_000).then(() => "left waiting")]);

describe("the pump", () => {
  it("writes what comes in any step in which the write before it ends", async () => {
    for (let steps = 0; steps < 40; steps += 1) {
      const pump = pumpOn(
        async () => ({}) as Prepared,
        async () => "known",
      );
      const first = pump.write(0, [record(0n)]);
      for (let step = 0; step < steps; step += 1) await undefined;
      const second = pump.write(0, [record(1n)]);
      expect(await soon(Promise.all([first, second])), `after ${steps} steps`).toBe("written");
      await pump.idle();
    }
  });

  it("rejects records of which no rows can be made, and writes those after them", async () => {
    let isBroken = true;
    const pump = pumpOn(
      async () => {
        if (isBroken) throw new Error("no rows");
        return {} as Prepared;
      },
      async () => "known",
    );
    await expect(pump.write(0, [record(0n)])).rejects.toThrow("no rows");
    isBroken = false;
    expect(await soon(pump.write(0, [record(0n)]))).toBe("written");
  });
});
