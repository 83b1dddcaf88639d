// Rows a second of the write path, against raw COPY of the same rows and against inserts of VALUES.
import type { Store } from "../../aggregator/store/store.ts";
import { closeScene, countRows } from "../aggregator/scene.ts";
import {
  type Add,
  type Bench,
  type BenchOptions,
  interleave,
  type Judged,
  median,
  ratioOf,
  type Spent,
} from "./bench.ts";
import { batchesOf, makeEvents, recordsOf, type SentEvent } from "./events.ts";
import { onBothStores, rawCopy, writePath } from "./store-sides.ts";
import { valuesInserts } from "./store-values.ts";

const rounds = 5;
/** Rows a turn: six full transactions, which end where the slowest side still takes seconds only. */
const lotRows = 60_000;
/** The slow side gets fewer, and so a smaller index, which is to its favour. */
const valuesRows = 15_000;
const batchRows = 500;
/** Of the lots with copies every seventh event is a copy of one stored in the round before. */
const copyEvery = 7;
/** All rounds lie in one day, so that chunks and partitions are made in the warm-up and every index grows alike. */
const day = Date.UTC(2026, 2, 10);
const everyMs = 86_400_000 / ((rounds + 1) * lotRows);

export default {
  name: "store",
  needs: [],
  wants: ["timescale"],
  run: (options) => onBothStores((open) => measure(open, options)),
} satisfies Bench;

async function measure(open: () => Promise<Store>, { add, say }: BenchOptions): Promise<void> {
  const scenes = {
    fresh: await open(),
    copies: await open(),
    raw: await open(),
    values: await open(),
    fewValues: await open(),
  };
  try {
    const place = scenes.fresh.flavour;
    say(`${place} ${scenes.fresh.serverVersion}, ${rounds} rounds of ${lotRows} rows`);
    const fresh = await writePath(scenes.fresh);
    const copies = await writePath(scenes.copies);
    const raw = await rawCopy(scenes.raw, day);
    const values = await valuesInserts(scenes.values, "same");
    const fewValues = await valuesInserts(scenes.fewValues, "few");
    const lots = createLots();
    const spent = await interleave<string, Spent>(rounds, {
      raw: async (round) => raw((await lots(round)).fresh),
      fresh: async (round) => fresh((await lots(round)).fresh),
      copies: async (round) => copies((await lots(round)).withCopies),
      values: async (round) => values((await lots(round)).fresh.slice(0, valuesRows / batchRows)),
      fewValues: async (round) => fewValues((await lots(round)).fresh.slice(0, valuesRows / batchRows)),
    });
    const stored = [await countRows(scenes.fresh, "events"), await countRows(scenes.copies, "events")];
    const copied = rounds * Math.floor(lotRows / copyEvery);
    const expected = [(rounds + 1) * lotRows, (rounds + 1) * lotRows - copied];
    if (String(stored) !== String(expected)) throw new Error(`${stored} rows are stored, not ${expected}`);
    const tell = (name: string, rows: number): number[] =>
      spent[name]!.map(({ wallMs }) => (rows / wallMs) * 1000);
    tellLines(place, add, {
      raw: tell("raw", lotRows),
      fresh: tell("fresh", lotRows),
      copies: tell("copies", lotRows),
      values: tell("values", valuesRows),
      fewValues: tell("fewValues", valuesRows),
      freshCpuUs: spent["fresh"]!.map(({ cpuMs }) => (cpuMs * 1000) / lotRows),
    });
  } finally {
    for (const scene of Object.values(scenes)) await closeScene(scene);
  }
}

interface Rates {
  raw: number[];
  fresh: number[];
  copies: number[];
  values: number[];
  fewValues: number[];
  freshCpuUs: number[];
}

function tellLines(place: string, add: Add, rates: Rates): void {
  const { raw, fresh, copies, values, fewValues, freshCpuUs } = rates;
  const atLeast = (ratio: number, bound: number) => ({ ratio, goal: `≥ ${bound}`, ok: ratio >= bound });
  const tell = (name: string, figures: readonly number[], unit: string, judged: Judged = {}): void =>
    add(`${place}: ${name}`, median(figures), unit, judged);
  tell("raw binary COPY", raw, "rows/s");
  tell("write path, fresh rows, to raw COPY", fresh, "rows/s", atLeast(ratioOf(fresh, raw), 0.8));
  tell(
    "write path, every 7th a stored copy, to raw COPY",
    copies,
    "events/s",
    atLeast(ratioOf(copies, raw), 0.4),
  );
  tell(
    "64-hex key, VALUES of 500, our columns; write path to it",
    values,
    "rows/s",
    atLeast(ratioOf(fresh, values), 4),
  );
  tell(
    "the same with 10 columns; write path to it",
    fewValues,
    "rows/s",
    atLeast(ratioOf(fresh, fewValues), 4),
  );
  tell("write path, our processor time", freshCpuUs, "µs/row");
}

interface Lot {
  events: SentEvent[];
  fresh: Uint8Array[];
  withCopies: Uint8Array[];
}

// Each round's rows are made once, by whichever side comes first.
function createLots(): (round: number) => Promise<Lot> {
  let known: { round: number; lot: Lot } | undefined;
  return async (round) => {
    if (known?.round === round) return known.lot;
    const events = makeEvents("b", [round * lotRows, lotRows], [day, everyMs]);
    const before = known?.lot.events;
    // The one before it, since what stands at this place of the lot before was a copy itself.
    const mixed = events.map((event, at) =>
      (at + 1) % copyEvery === 0 ? (before?.[at - 1] ?? event) : event,
    );
    const first = round * Math.ceil(lotRows / batchRows);
    const lot = {
      events,
      fresh: recordsOf(await batchesOf(events, batchRows), first),
      withCopies: recordsOf(await batchesOf(mixed, batchRows), first),
    };
    known = { round, lot };
    return lot;
  };
}
