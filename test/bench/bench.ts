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

/** A benchmark and the services it stands on, by their names in test/services/setup.ts. */
export interface Bench {
  name: string;
  needs: readonly string[];
  run(say: (text: string) => void): Promise<BenchLine[]>;
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
 * all of them. A side answers its own figure. The first round warms up and is thrown away.
 */
export async function interleave<Name extends string>(
  rounds: number,
  sides: Readonly<Record<Name, () => Promise<number>>>,
): Promise<Record<Name, number[]>> {
  const names = Object.keys(sides) as Name[];
  const figures = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round <= rounds; round += 1) {
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(turn + round) % names.length]!;
      const figure = await sides[name]();
      if (round > 0) figures[name].push(figure);
    }
  }
  return figures;
}

/** Median of the ratios of two sides, round by round. */
export function ratioOf(left: readonly number[], right: readonly number[]): number {
  return median(left.map((value, round) => value / right[round]!));
}
