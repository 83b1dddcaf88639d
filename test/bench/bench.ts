// What a benchmark is: sides measured in turn within one run, medians, and ratios against a goal.

/** One figure. `ratio` is against the side named in `name`; `goal` is told in words, `ok` whether it is met. */
export interface BenchLine {
  bench: string;
  name: string;
  value: number;
  unit: string;
  ratio: number | null;
  goal: string | null;
  ok: boolean | null;
}

/** How a figure is judged: the ratio it has to another side, and the goal with what makes it met. */
export interface Judged {
  ratio?: number;
  goal?: string;
  ok?: boolean;
}

/** Tells one figure as soon as it is known, so that what fails later takes none of it away. */
export type Add = (name: string, value: number, unit: string, judged?: Judged) => void;

/** What a benchmark runs with. */
export interface BenchOptions {
  add: Add;
  /** Tells a person how far it is. */
  say(text: string): void;
  /** `--long`: what takes longer than three minutes, too. */
  isLong: boolean;
}

/** A benchmark and the services it stands on, by their names in test/services/setup.ts. */
export interface Bench {
  name: string;
  needs: readonly string[];
  /** Services that a part of it stands on; without them the other parts run. */
  wants?: readonly string[];
  run(options: BenchOptions): Promise<void>;
}

/** The median of a list with at least one number. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The value below which `share` (0 to 1) of the values lie. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

/**
 * Runs every side once a round, in turn and in an order that rotates, so that drift of the machine meets
 * all of them. A side is told the round and answers its own figure. Round 0 warms up and is thrown away.
 */
export async function interleave<Name extends string, Figure = number>(
  rounds: number,
  sides: Readonly<Record<Name, (round: number) => Promise<Figure>>>,
): Promise<Record<Name, Figure[]>> {
  const names = Object.keys(sides) as Name[];
  const figures = Object.fromEntries(names.map((name) => [name, [] as Figure[]])) as Record<Name, Figure[]>;
  for (let round = 0; round <= rounds; round += 1) {
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(turn + round) % names.length]!;
      // What one side leaves behind is not collected in the time of the next.
      Bun.gc(true);
      const figure = await sides[name](round);
      if (round > 0) figures[name].push(figure);
    }
  }
  return figures;
}

/** Median of the ratios of two sides, round by round. */
export function ratioOf(left: readonly number[], right: readonly number[]): number {
  return median(left.map((value, round) => value / right[round]!));
}

/** What a piece of work took: the clock's time, and the processor's time of this process. */
export interface Spent {
  wallMs: number;
  cpuMs: number;
}

/** Measures one piece of work. */
export async function spend(work: () => unknown): Promise<Spent> {
  const before = process.cpuUsage();
  const startedAt = performance.now();
  await work();
  const wallMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(before);
  return { wallMs, cpuMs: (user + system) / 1000 };
}
