// Authenticate: only an edge that knows the shared secret hands in batches, and only fresh ones.
import type { Clock } from "../shared/clock.ts";
import { batchAgeMs, batchEventsMax } from "../shared/limits.ts";
import { WeirError } from "../shared/problem.ts";
import { type Batch, unpackBatch } from "../shared/wire/batch.ts";
import { type Signer, signatureHeader } from "../shared/wire/signature.ts";
import { readBody } from "./body.ts";

/**
 * Reads a signed batch. Throws `body_too_large`, `signature_invalid`, `signature_expired`,
 * `batch_malformed`, `batch_too_old` or `batch_version_unknown`. The signature is checked over the bytes as they came,
 * before anything is unpacked.
 */
export async function authenticate(request: Request, signer: Signer, clock: Clock): Promise<Batch> {
  const body = await readBody(request);
  await signer.verify(request.headers.get(signatureHeader), body, clock.now());
  const batch = unpackBatch(body);
  if (batch.count > batchEventsMax) {
    throw new WeirError("batch_malformed", `A batch holds at most ${batchEventsMax} events.`);
  }
  // An id is not known for ever: a batch that comes later still might be counted twice.
  if (batch.receivedAt < clock.now() - batchAgeMs) {
    const days = batchAgeMs / 86_400_000;
    throw new WeirError("batch_too_old", `A batch may be held back for ${days} days.`);
  }
  return batch;
}
