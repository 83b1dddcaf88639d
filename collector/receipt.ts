// Receipts: one collector's records numbered without gaps, so that a lost one is missed.
import { type Receipt, type SpoolWord, spoolWord } from "../shared/wire/record.ts";

export interface Receipts {
  /** The next number, for a record about to be published; `spool` where it has another word than the run. */
  take(spool?: SpoolWord): Receipt;
  /** The log has the record, and with it the word about the numbers given up before. */
  stored(receipt: Receipt): void;
  /** The record was answered with an error; a later one will say so. */
  gaveUp(receipt: Receipt): void;
  /** The record lies in the spool: its number stays open until it is drained. */
  spooled(receipt: Receipt): void;
  /** The log has a record from the spool; one of an earlier start says nothing about these numbers. */
  drained(receipt: Receipt): void;
  /** Numbers given up that no stored record has told of yet. */
  untold(): number;
  /** Numbers under way. */
  underWay(): number;
}

/**
 * `start` is when the process began, epoch ms: it and the name make the numbers one's own. `hasSpool`: what
 * is acknowledged may lie outside the log, and every receipt says so.
 */
export function createReceipts(collector: string, start: number, hasSpool = false): Receipts {
  // Numbers whose fate no stored record settles yet, given up ones included, for until the log has that
  // word they would look lost. They are put in growing, and a Set keeps that order: its first is the lowest.
  const open = new Set<number>();
  let next = 0;
  let givenUp: number[] = [];
  let underWay = 0;
  let inSpool = 0;
  function close(receipt: Receipt): void {
    open.delete(receipt.number);
    for (const number of receipt.givenUp) open.delete(number);
  }
  return {
    take(spool = hasSpool ? spoolWord.open : spoolWord.none) {
      const number = next;
      next += 1;
      underWay += 1;
      open.add(number);
      const [lowestOpen = number] = open;
      const receipt: Receipt = { collector, start, number, lowestOpen, givenUp };
      if (spool !== spoolWord.none) receipt.spool = spool;
      givenUp = [];
      return receipt;
    },
    stored(receipt) {
      underWay -= 1;
      close(receipt);
    },
    spooled() {
      underWay -= 1;
      inSpool += 1;
    },
    drained(receipt) {
      if (receipt.collector !== collector || receipt.start !== start || !open.has(receipt.number)) return;
      inSpool -= 1;
      close(receipt);
    },
    gaveUp(receipt) {
      underWay -= 1;
      givenUp.push(...receipt.givenUp, receipt.number);
    },
    untold: () => open.size - underWay - inSpool,
    underWay: () => underWay,
  };
}
