// Orders in which a file's events may come, none of which may change an answer.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

export interface Order {
  name: string;
  /** The project its events are sent to. */
  project: string;
  /** The files to import one after the other, of these lines. */
  pieces(lines: readonly string[], random: () => number): string[][];
  /** How many lines are copies of others. */
  copies(lines: number): number;
}

const copiedShare = 0.142;
const pieceCount = 37;

/** The lines of a file, packed or not. */
export const linesOf = (gzip: string): string[] =>
  gunzipSync(readFileSync(gzip)).toString("utf8").trimEnd().split("\n");

export const orders: readonly Order[] = [
  {
    name: "shuffled",
    project: "shuffled",
    pieces: (lines, random) => [shuffled(lines, random)],
    copies: () => 0,
  },
  {
    name: "with 14.2 % sent twice",
    project: "doubled",
    pieces(lines, random) {
      const copies = shuffled(lines, random).slice(0, Math.round(lines.length * copiedShare));
      return [shuffled([...lines, ...copies], random)];
    },
    copies: (lines) => Math.round(lines * copiedShare),
  },
  {
    name: "in 37 pieces",
    project: "pieces",
    pieces(lines, random) {
      const length = Math.ceil(lines.length / pieceCount);
      const pieces = Array.from({ length: pieceCount }, (_, at) =>
        lines.slice(at * length, (at + 1) * length),
      );
      return shuffled(pieces, random);
    },
    copies: () => 0,
  },
  {
    name: "with the last third first",
    project: "late",
    pieces(lines) {
      const cut = Math.floor((lines.length * 2) / 3);
      return [lines.slice(cut), lines.slice(0, cut)];
    },
    copies: () => 0,
  },
];

/** Another array with the same elements, in any order alike (Fisher and Yates). */
function shuffled<Element>(elements: readonly Element[], random: () => number): Element[] {
  const mixed = [...elements];
  for (let at = mixed.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    [mixed[at], mixed[other]] = [mixed[other]!, mixed[at]!];
  }
  return mixed;
}
