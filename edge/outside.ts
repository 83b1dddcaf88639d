// What the settings say of the products that clients came from.
import { ConfigError } from "../shared/config.ts";
import type { Meter } from "../shared/meter.ts";
import type { EdgeConfig } from "./config.ts";
import type { Outside } from "./dialect/doors.ts";
import { passedOn } from "./dialect/posthog-passed.ts";
import { createUpstream, type Upstream } from "./upstream.ts";

/** Reads it for `createDoors`. Throws a ConfigError where copies have nowhere to go. */
export function readOutside(config: EdgeConfig, meter: Meter, request?: typeof fetch): Outside {
  const [segment, posthog] = [of("segment"), of("posthog")];
  return {
    segment: segment?.copies === true ? segment.upstream.copy : undefined,
    posthog:
      posthog === undefined
        ? undefined
        : {
            asides: passedOn(posthog.upstream),
            afterwards: posthog.copies ? posthog.upstream.copy : undefined,
          },
  };

  function of(name: "segment" | "posthog"): { upstream: Upstream; copies: boolean } | undefined {
    const setting = `WEIR_${name.toUpperCase() as "SEGMENT" | "POSTHOG"}_UPSTREAM` as const;
    const [url, copies] = [config[setting], config[`${setting}_COPY`]];
    if (url !== undefined) return { upstream: createUpstream({ url, name, meter, fetch: request }), copies };
    if (copies) throw new ConfigError([`${setting}_COPY: copies need ${setting} to go to`]);
    return undefined;
  }
}
