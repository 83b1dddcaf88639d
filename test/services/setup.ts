// Starts every service the suites need, once for the whole run, and ends what it started.
// WEIR_TEST_SERVICES: "auto" (default: whatever can be started), "required", "none", or names "redis,kafka".
import { startKafka } from "./kafka.ts";
import { startPostgres } from "./postgres.ts";
import { startRedis } from "./redis.ts";
import { startTimescale } from "./timescale.ts";

/** A running service, or what is missing to run it. */
export type Started = { url: string; stop(): Promise<void> } | { missing: string };

// TimescaleDB's community edition is in no registry, only in container images: who has a server names it.
const nameCommunity = async (): Promise<Started> => ({
  missing: "name a server of the community edition in WEIR_TEST_TIMESCALE_COMMUNITY_URL",
});

const starters = {
  redis: startRedis,
  kafka: startKafka,
  postgres: startPostgres,
  timescale: startTimescale,
  timescale_community: nameCommunity,
};
export type ServiceName = keyof typeof starters;
/** What nobody can start here is never required, only told of. */
export const neverRequired: readonly ServiceName[] = ["timescale_community"];

/** Names of the environment in which a suite finds a service, or the reason it is not there. */
export const urlName = (name: string): string => `WEIR_TEST_${name.toUpperCase()}_URL`;
export const missingName = (name: string): string => `WEIR_TEST_${name.toUpperCase()}_MISSING`;

export default async function setup(): Promise<() => Promise<void>> {
  const wanted = process.env["WEIR_TEST_SERVICES"] ?? "auto";
  const stops: (() => Promise<void>)[] = [];
  await Promise.all(
    Object.entries(starters).map(async ([name, start]) => {
      if (process.env[urlName(name)] !== undefined) return;
      if (
        wanted === "none" ||
        (wanted !== "auto" && wanted !== "required" && !wanted.split(",").includes(name))
      ) {
        process.env[missingName(name)] = `left out by WEIR_TEST_SERVICES=${wanted}`;
        return;
      }
      const started = await start().catch((error: unknown) => ({
        missing: `it did not start: ${String(error)}`,
      }));
      if ("missing" in started) process.env[missingName(name)] = started.missing;
      else {
        process.env[urlName(name)] = started.url;
        stops.push(started.stop);
      }
    }),
  );
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}
