// The network between edges and collectors: it drops, delays, doubles and reorders.
import { problems, WeirError } from "../../../shared/problem.ts";
import { outcome, unpackBatch } from "../../../shared/wire/batch.ts";
import { pack } from "../../../shared/wire/msgpack.ts";
import type { Place } from "./place.ts";
import type { Schedule } from "./schedule.ts";
import type { CollectorStation } from "./stations.ts";
import type { Landed } from "./verdict.ts";

export interface Network {
  fetchFrom(place: Place): typeof fetch;
  /** Chance of a fault, by request. */
  trouble: number;
  /** Duplicates that were answered and are not in the log. */
  faults: string[];
}

export function createNetwork(
  schedule: Schedule,
  collectors: readonly CollectorStation[],
  landed: Landed,
): Network {
  const self: Network = {
    trouble: 0,
    faults: [],
    fetchFrom: (place) =>
      ((_url: string, { body }: { body: Uint8Array }) => {
        const slowest = schedule.chance(self.trouble) ? 14_000 : 3;
        return place.hop(() => route(new Uint8Array(body)), 0.1, slowest);
      }) as unknown as typeof fetch,
  };
  return self;

  function route(body: Uint8Array): Promise<Response> {
    if (schedule.chance(self.trouble)) {
      // It comes once more, by another way, and later; nobody waits for what is said to it.
      const again = (): void => void serve(schedule.pick(collectors), body).catch(() => {});
      schedule.after(schedule.between(0, 15_000), again);
      if (schedule.chance(0.3)) return new Promise(() => {});
    }
    return serve(schedule.pick(collectors), body);
  }

  async function serve({ place, collect }: CollectorStation, body: Uint8Array): Promise<Response> {
    if (!place.isAlive()) throw new Error("nobody listens");
    await new Promise<void>((resolve) => place.after(0.05, resolve));
    try {
      const batch = unpackBatch(body);
      const { batchId, outcomes, spooled } = await collect(batch);
      outcomes.forEach((code, index) => {
        if (code === outcome.duplicate && !landed.has(batch.hashes, batch.fingerprints, index))
          self.faults.push("a duplicate was answered whose content is not in the log");
      });
      return responseOf(200, pack(spooled === true ? [batchId, outcomes, true] : [batchId, outcomes]));
    } catch (error) {
      if (!(error instanceof WeirError)) throw error;
      return responseOf(
        problems[error.code][0],
        new TextEncoder().encode(JSON.stringify({ code: error.code })),
      );
    }
  }
}

// A real response reads its body outside of the run's own time.
function responseOf(status: number, body: Uint8Array): Response {
  const answer = {
    status,
    ok: status === 200,
    headers: { get: () => null },
    arrayBuffer: async () => new Uint8Array(body).buffer,
  };
  return answer as unknown as Response;
}
