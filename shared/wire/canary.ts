// The canary: a batch without events that goes the way of all batches, so that its age is the pipeline's.
import type { Batch } from "./batch.ts";

/** Its project, which no key and no import can have; whoever may send it has the edges' secret. */
export const canaryProject = "weir_canary";

/** Whether a batch is a canary: sent when it was received, by the edge it names. */
export const isCanary = ({ project, count }: Pick<Batch, "project" | "count">): boolean =>
  count === 0 && project === canaryProject;

/** A canary of an edge; times are epoch ms. */
export function canaryBatch(batchId: Uint8Array, edge: string, sentAt: number): Batch {
  const none = new Uint8Array();
  return {
    batchId,
    project: canaryProject,
    edge,
    receivedAt: sentAt,
    traceparent: null,
    count: 0,
    ids: none,
    hashes: none,
    fingerprints: none,
    flags: none,
    sizes: [],
    bodies: none,
    refusals: [],
  };
}
