// Claim: which events of a batch the claims are asked for, and told of.
import { fingerprintBytes, identityHashBytes } from "../shared/event/identity.ts";
import type { Batch } from "../shared/wire/batch.ts";
import type { ClaimRequest, ClaimStore } from "./claims/claims.ts";

/** A request over the events of `batch` that `isWanted`; the batch's own columns where that is all of them. */
export function requestFor(
  batch: Batch,
  attempt: Uint8Array,
  isWanted: (index: number) => boolean,
): ClaimRequest {
  const wanted: number[] = [];
  for (let index = 0; index < batch.count; index += 1) if (isWanted(index)) wanted.push(index);
  const { batchId, hashes, fingerprints } = batch;
  const count = wanted.length;
  if (count === batch.count) return { batchId, attempt, count, hashes, fingerprints };
  return {
    batchId,
    attempt,
    count,
    hashes: pick(hashes, identityHashBytes, wanted),
    fingerprints: pick(fingerprints, fingerprintBytes, wanted),
  };
}

/** What was found for each event of the request, or undefined: the batch then goes on unchecked. */
export async function claim(claims: ClaimStore, request: ClaimRequest): Promise<Uint8Array | undefined> {
  if (request.count === 0) return new Uint8Array();
  try {
    const found = await claims.claim(request);
    return found.length === request.count ? found : undefined;
  } catch {
    return undefined;
  }
}

function pick(column: Uint8Array, width: number, wanted: readonly number[]): Uint8Array {
  const picked = new Uint8Array(wanted.length * width);
  wanted.forEach((index, at) => {
    picked.set(column.subarray(index * width, (index + 1) * width), at * width);
  });
  return picked;
}
