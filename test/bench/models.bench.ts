// What the read models cost whoever writes: rows a second with an aggregator that folds them, and without one.
import { startModelFolding } from "../../aggregator/model/folding.ts";
import type { Store } from "../../aggregator/store/store.ts";
import { systemClock } from "../../shared/clock.ts";
import { silentLogger } from "../../shared/logger.ts";
import { closeScene, countRows } from "../aggregator/scene.ts";
import { type Bench, type BenchOptions, interleave, median, ratioOf } from "./bench.ts";
import { batchesOf, makeEvents, recordsOf } from "./events.ts";
import { onBothStores, writePath } from "./store-sides.ts";

const rounds = 5;
const lotRows = 60_000;
const batchRows = 500;
const day = Date.UTC(2026, 2, 10);
const everyMs = 86_400_000 / ((rounds + 1) * lotRows);
const goal = 0.7;
const foldedMsMax = 120_000;
const lookMs = 10;

export default {
  name: "models",
  needs: [],
  wants: ["timescale"],
  run: (options) => onBothStores((open) => measure(open, options)),
} satisfies Bench;

/** Events a second: until the last row is committed, and until the last one is in every model, too. */
interface Rates {
  written: number;
  folded: number;
}

async function measure(open: () => Promise<Store>, { add, say }: BenchOptions): Promise<void> {
  const scenes = { bare: await open(), modelled: await open() };
  try {
    const place = scenes.bare.flavour;
    say(`${place} ${scenes.bare.serverVersion}, ${rounds} rounds of ${lotRows} rows`);
    const [bare, modelled] = [await writePath(scenes.bare), await writePath(scenes.modelled)];
    const lot = createLots();
    const figures = await interleave<"bare" | "modelled", Rates>(rounds, {
      async bare(round) {
        const { wallMs } = await bare(await lot(round));
        // Nobody folds here, so that the notes would only grow.
        await scenes.bare.sql`truncate fresh_events`;
        const rate = (lotRows / wallMs) * 1000;
        return { written: rate, folded: rate };
      },
      async modelled(round) {
        const records = await lot(round);
        const folding = startModelFolding({
          store: scenes.modelled,
          clock: systemClock,
          logger: silentLogger,
        });
        const begun = performance.now();
        const { wallMs } = await modelled(records);
        await untilFolded(scenes.modelled);
        const foldedMs = performance.now() - begun;
        await folding.close();
        return { written: (lotRows / wallMs) * 1000, folded: (lotRows / foldedMs) * 1000 };
      },
    });
    const of = (side: readonly Rates[], name: keyof Rates): number[] => side.map((rates) => rates[name]);
    const without = of(figures.bare, "written");
    const [written, folded] = [of(figures.modelled, "written"), of(figures.modelled, "folded")];
    const judge = (ratio: number) => ({ ratio, goal: `≥ ${goal}`, ok: ratio >= goal });
    add(`${place}: written, nobody folds`, median(without), "rows/s");
    add(
      `${place}: written beside the folding, to that`,
      median(written),
      "rows/s",
      judge(ratioOf(written, without)),
    );
    add(`${place}: written and in every model, to that`, median(folded), "rows/s", {
      ratio: ratioOf(folded, without),
    });
  } finally {
    for (const scene of Object.values(scenes)) await closeScene(scene);
  }
}

async function untilFolded(store: Store): Promise<void> {
  const deadline = performance.now() + foldedMsMax;
  while ((await countRows(store, "fresh_events")) > 0) {
    if (performance.now() > deadline) throw new Error("the read models did not come to the end");
    await systemClock.sleep(lookMs);
  }
}

// Each round's records are made once, by whichever side comes first.
function createLots(): (round: number) => Promise<Uint8Array[]> {
  let known: { round: number; records: Uint8Array[] } | undefined;
  return async (round) => {
    if (known?.round === round) return known.records;
    const events = makeEvents("m", [round * lotRows, lotRows], [day, everyMs]);
    const first = round * Math.ceil(lotRows / batchRows);
    known = { round, records: recordsOf(await batchesOf(events, batchRows), first) };
    return known.records;
  };
}
