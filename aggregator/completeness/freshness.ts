// Freshness: how old the newest canary is that went the whole way, and when that is too old.
import type { Clock } from "../../shared/clock.ts";
import type { Meter } from "../../shared/meter.ts";
import { withDeadline } from "../store/errors.ts";
import type { Store } from "../store/store.ts";
import { forgetCanaries, forgetSeconds, readCanaries, type StoredCanary } from "./canaries.ts";

/** What decides whether a pipeline is fresh; seconds. */
export interface FreshnessSettings {
  /** How often edges send a canary; 0: they do not, and nothing is judged. */
  canarySeconds: number;
  maxSeconds: number;
}

export interface Freshness {
  /** Looks at the store and sets the gauges; while the store is away, the ages of what was seen last grow. */
  look(): Promise<void>;
  /** Age of the newest canary of any edge, in seconds; null before the first, and where none are sent. */
  ageSeconds(): number | null;
  /** Looks, and answers why nothing may be stored, where the newest canary is too old. */
  fault(): Promise<string | undefined>;
}

/** Less than who asks for readiness waits. */
const lookMs = 1_000;
/** A canary or two may be late or lost without anything being wrong. */
const canariesMin = 3;

/** The bound in seconds, never less than a few canaries take, so that no setting makes a well one flap. */
export const boundSeconds = ({ canarySeconds, maxSeconds }: FreshnessSettings): number =>
  Math.max(maxSeconds, canariesMin * canarySeconds);

/** By the clock of the edge or of the store, whichever tells more: one that is ahead makes nothing younger. */
export const ageOf = ({ sentAt, storedAt }: StoredCanary, now: number): number =>
  Math.max(0, now - Math.min(sentAt, storedAt)) / 1_000;

/**
 * A process that has just begun is given the bound's time: before it, nothing can be told. The newest of
 * all edges counts, so that an edge that was taken away makes nothing unready.
 */
export function createFreshness(
  { store, clock, meter }: { store: Store; clock: Clock; meter: Meter },
  settings: FreshnessSettings,
): Freshness {
  const isOn = settings.canarySeconds > 0;
  const bound = boundSeconds(settings);
  const startedAt = clock.now();
  let seen: readonly StoredCanary[] = [];
  // A store that hangs is asked once, not once a look.
  let asking: Promise<unknown> | undefined;

  const ageSeconds = (): number | null =>
    seen.length === 0 ? null : Math.min(...seen.map((canary) => ageOf(canary, clock.now())));

  const read = async (): Promise<void> => {
    asking ??= readCanaries(store.sql)
      .then((canaries) => {
        seen = canaries;
      })
      .finally(() => {
        asking = undefined;
      });
    await withDeadline("the canaries", lookMs, asking).catch(() => {});
    for (const canary of seen) {
      meter.set("weir.freshness.age", ageOf(canary, clock.now()), { "weir.edge": canary.edge });
    }
  };

  return {
    ageSeconds,
    async look() {
      if (!isOn) return;
      await read();
      if (seen.some((canary) => ageOf(canary, clock.now()) > forgetSeconds)) {
        await forgetCanaries(store.sql).catch(() => {});
      }
    },
    async fault() {
      if (!isOn) return undefined;
      await read();
      const age = ageSeconds();
      const since = Math.min(age ?? Number.POSITIVE_INFINITY, (clock.now() - startedAt) / 1_000);
      if (since <= bound) return undefined;
      const told =
        age === null
          ? `no canary was stored in ${Math.floor(since)} s`
          : `the newest canary is ${Math.floor(age)} s old`;
      return `nothing may be stored: ${told}, and ${bound} s are the bound`;
    },
  };
}
