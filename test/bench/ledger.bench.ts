// What the ledger costs the write path: the same records with its rows and without them, by size of batch.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore } from "../../aggregator/store/open.ts";
import { closeScene, countRows, openScene } from "../aggregator/scene.ts";
import { type Bench, interleave, median, ratioOf, type Spent } from "./bench.ts";
import { batchesOf, makeEvents, recordsOf } from "./events.ts";
import { noLedger } from "./no-ledger.ts";
import { writePath } from "./store-sides.ts";

const rounds = 7;
/** Events in a batch, and in a turn: a few seconds of the slowest side. */
const sizes = [
  { batch: 500, events: 60_000 },
  { batch: 100, events: 60_000 },
  { batch: 1, events: 8_000 },
] as const;
const goalFrom = 100;
const goal = 0.95;
const day = Date.UTC(2026, 2, 10);

export default {
  name: "ledger",
  needs: [],
  async run({ add, say }) {
    const folder = mkdtempSync(join(tmpdir(), "weir-bench-"));
    const server = await openStore("embedded:", { schema: "weir", dataDir: folder });
    try {
      for (const { batch, events } of sizes) {
        say(`${rounds} rounds of ${events} events, ${batch} a batch`);
        const { kept, left } = await compare(folder, batch, events);
        const ratio = ratioOf(kept, left);
        const judged = batch >= goalFrom ? { goal: `≥ ${goal}`, ok: ratio >= goal } : {};
        add(`written without a ledger, ${batch} a batch`, median(left), "events/s");
        add(`with it; to without, ${batch} a batch`, median(kept), "events/s", { ratio, ...judged });
      }
    } finally {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
} satisfies Bench;

async function compare(folder: string, batch: number, events: number) {
  const scenes = { kept: await openScene("embedded:", folder), left: await openScene("embedded:", folder) };
  try {
    const sides = { kept: await writePath(scenes.kept), left: await writePath(scenes.left, noLedger) };
    let lot: { round: number; records: Uint8Array[] } | undefined;
    const recordsIn = async (round: number): Promise<Uint8Array[]> => {
      if (lot?.round !== round) {
        const sent = makeEvents(`l${batch}`, [round * events, events], [day, 1]);
        lot = { round, records: recordsOf(await batchesOf(sent, batch), (round * events) / batch) };
      }
      return lot.records;
    };
    const spent = await interleave<"kept" | "left", Spent>(rounds, {
      kept: async (round) => sides.kept(await recordsIn(round)),
      left: async (round) => sides.left(await recordsIn(round)),
    });
    for (const scene of Object.values(scenes)) {
      const rows = await countRows(scene, "events");
      if (rows !== (rounds + 1) * events) throw new Error(`${rows} rows are stored`);
    }
    const rate = ({ wallMs }: Spent): number => (events / wallMs) * 1000;
    return { kept: spent.kept.map(rate), left: spent.left.map(rate) };
  } finally {
    for (const scene of Object.values(scenes)) await closeScene(scene);
  }
}
