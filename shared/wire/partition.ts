// Which partition a batch belongs to: a resend must meet its first copy there, whoever sends it.

/**
 * FNV-1a (32 bits, http://www.isthe.com/chongo/tech/comp/fnv/) over the batch id's 16 bytes, modulo the
 * topic's fixed count. Never a driver's own partitioner, since two drivers would disagree.
 */
export function partitionOf(batchId: Uint8Array, partitions: number): number {
  let hash = 0x811c9dc5;
  for (const byte of batchId) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % partitions;
}
