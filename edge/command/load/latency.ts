// Latencies in a histogram of fixed size: every bucket is 1 % wider than the one before.

const smallestMs = 0.01;
const growth = Math.log(1.01);
/** Up to 0.01 ms × 1.01^2000 = 73 minutes; what is longer counts as that long. */
const buckets = 2001;

export interface Latencies {
  add(ms: number): void;
  /** The time within which `share` (0 to 1) of all ended, in ms, exact to 1 %; 0 where there are none. */
  quantile(share: number): number;
  max(): number;
}

export function createLatencies(): Latencies {
  const counts = new Uint32Array(buckets);
  let total = 0;
  let max = 0;
  return {
    add(ms) {
      const bucket = ms <= smallestMs ? 0 : Math.ceil(Math.log(ms / smallestMs) / growth);
      counts[Math.min(bucket, buckets - 1)]! += 1;
      total += 1;
      max = Math.max(max, ms);
    },
    quantile(share) {
      let left = Math.ceil(total * share);
      for (let bucket = 0; bucket < buckets && left > 0; bucket += 1) {
        left -= counts[bucket]!;
        if (left <= 0) return Math.min(smallestMs * Math.exp(bucket * growth), max);
      }
      return 0;
    },
    max: () => max,
  };
}
