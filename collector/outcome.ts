// Outcome: what the claims found becomes what is done with each event. Pure, and total over any bytes.
import { type Batch, outcome } from "../shared/wire/batch.ts";
import { claimFound } from "./claims/claims.ts";

/** What is done with a batch. */
export interface Decision {
  /** One byte an event, a value of `outcome`. */
  outcomes: Uint8Array;
  /** The log has this batch already: nothing is published, and the outcomes are answered as they are. */
  isLogged: boolean;
}

/** One byte an event: 1 where the edge refused it. Refused events travel along and are never claimed. */
export function refusedIn(batch: Batch): Uint8Array {
  const refused = new Uint8Array(batch.count);
  for (const refusal of batch.refusals) refused[refusal.index] = 1;
  return refused;
}

/**
 * Decides a whole batch. `refused` holds one byte an event; `found` one for each event that is not
 * refused, in order, or is undefined where the claims did not answer.
 *
 * One event done by this very batch shows that its record, which holds all of them, is in the log. Then
 * an event that another batch holds with the same content is a duplicate, and every other is published.
 */
export function decide(refused: Uint8Array, found: Uint8Array | undefined): Decision {
  const isLogged = found?.includes(claimFound.doneSameBatch) ?? false;
  let at = 0;
  const outcomes = refused.map((isRefused) => {
    if (isRefused !== 0) return outcome.refused;
    if (found === undefined) return outcome.unchecked;
    const code = found[at];
    at += 1;
    if (!isLogged) return outcomeOf(code);
    return code === claimFound.doneSameContent ? outcome.duplicate : outcome.published;
  });
  return { outcomes, isLogged };
}

// A pending key may still be published or not, by whomever, and another content may be right or wrong:
// the store decides. So it does for a code from nowhere.
function outcomeOf(found: number | undefined): number {
  switch (found) {
    case claimFound.nothing:
      return outcome.published;
    case claimFound.doneSameContent:
      return outcome.duplicate;
    default:
      return outcome.inDoubt;
  }
}
