// Ids as they stand in a load's log: runs of consecutive ones as their first and how many follow.

/** An id, or the first of `count` ids whose last digits count on by one with the same width. */
export type IdRun = string | [first: string, count: number];

const endForm = /^(.*?)(\d{1,15})$/s;

/** Folds ids in their order. */
export function foldIds(ids: readonly string[]): IdRun[] {
  const runs: IdRun[] = [];
  let first = "";
  let count = 0;
  let expected: string | undefined;
  const close = (): void => {
    if (count > 0) runs.push(count === 1 ? first : [first, count]);
  };
  for (const id of ids) {
    if (id === expected) count += 1;
    else {
      close();
      [first, count] = [id, 1];
    }
    expected = following(id, 1);
  }
  close();
  return runs;
}

/** The ids again. */
export function* unfoldIds(runs: readonly IdRun[]): Generator<string> {
  for (const run of runs) {
    if (typeof run === "string") yield run;
    else {
      const [prefix, digits] = parts(run[0]) ?? [run[0], ""];
      for (let at = 0; at < run[1]; at += 1)
        yield prefix + String(Number(digits) + at).padStart(digits.length, "0");
    }
  }
}

function parts(id: string): [string, string] | undefined {
  const found = endForm.exec(id);
  return found === null ? undefined : [found[1]!, found[2]!];
}

// The id `step` further, or undefined where it has no number at its end or would grow by a digit.
function following(id: string, step: number): string | undefined {
  const found = parts(id);
  if (found === undefined) return undefined;
  const [prefix, digits] = found;
  const next = String(Number(digits) + step).padStart(digits.length, "0");
  return next.length === digits.length ? prefix + next : undefined;
}
