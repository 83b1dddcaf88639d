// What an edge reads from its environment.

import * as z from "zod/mini";
import { ConfigError, type ConfigSource, readConfig } from "../shared/config.ts";
import { settingNames, settings } from "../shared/settings.ts";

const shape = z.object({
  WEIR_HOST: settings.WEIR_HOST,
  WEIR_EDGE_PORT: settings.WEIR_EDGE_PORT,
  WEIR_EDGE_NAME: settings.WEIR_EDGE_NAME,
  WEIR_COLLECTOR_URL: settings.WEIR_COLLECTOR_URL,
  WEIR_EDGE_SECRET: settings.WEIR_EDGE_SECRET,
  WEIR_KEYS_URL: settings.WEIR_KEYS_URL,
  WEIR_RATE_EVENTS_PER_SECOND: settings.WEIR_RATE_EVENTS_PER_SECOND,
  WEIR_CANARY_SECONDS: settings.WEIR_CANARY_SECONDS,
  WEIR_BUFFER_BYTES_MAX: settings.WEIR_BUFFER_BYTES_MAX,
  WEIR_BUFFER_OBJECTS: settings.WEIR_BUFFER_OBJECTS,
  WEIR_TRUSTED_PROXIES: settings.WEIR_TRUSTED_PROXIES,
  WEIR_SEGMENT_UPSTREAM: settings.WEIR_SEGMENT_UPSTREAM,
  WEIR_SEGMENT_UPSTREAM_COPY: settings.WEIR_SEGMENT_UPSTREAM_COPY,
  WEIR_POSTHOG_UPSTREAM: settings.WEIR_POSTHOG_UPSTREAM,
  WEIR_POSTHOG_UPSTREAM_COPY: settings.WEIR_POSTHOG_UPSTREAM_COPY,
});

export type EdgeConfig = z.output<typeof shape>;

/** Reads the settings of an edge. Throws a ConfigError with every fault. */
export function readEdgeConfig(source: ConfigSource): EdgeConfig {
  return readConfig(shape, source, settingNames);
}

/** The secrets that sign, which every hop over HTTP needs. Throws a ConfigError where there are none. */
export function secretsOf(config: EdgeConfig): readonly string[] {
  const secrets = config.WEIR_EDGE_SECRET ?? [];
  if (secrets.length > 0) return secrets;
  throw new ConfigError(["WEIR_EDGE_SECRET: an edge of its own signs its batches and needs a secret"]);
}

/** Where a hop over HTTP goes. Throws a ConfigError where the setting names no other process. */
export function hopOf(config: EdgeConfig, setting: "WEIR_COLLECTOR_URL" | "WEIR_KEYS_URL"): string {
  const url = config[setting];
  if (url !== undefined && url !== "local:") return url;
  throw new ConfigError([`${setting}: an edge of its own needs the address of another process here`]);
}
