// What an edge reads from its environment.

import * as z from "zod/mini";
import { ConfigError, type ConfigSource, readConfig } from "../shared/config.ts";
import { edgeSettings } from "../shared/settings.ts";

const shape = z.object(edgeSettings);

export type EdgeConfig = z.output<typeof shape>;

/**
 * Reads the settings of an edge. `names` are those that may stand beside them: none but its own where nobody
 * shares its environment. Throws a ConfigError with every fault.
 */
export function readEdgeConfig(
  source: ConfigSource,
  names: readonly string[] = Object.keys(edgeSettings),
): EdgeConfig {
  return readConfig(shape, source, names);
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
