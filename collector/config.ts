// What a collector reads from its environment.
import { z } from "zod";
import { ConfigError, type ConfigSource, readConfig } from "../shared/config.ts";
import { settingNames, settings } from "../shared/settings.ts";

const shape = z.object({
  WEIR_HOST: settings.WEIR_HOST,
  WEIR_COLLECTOR_PORT: settings.WEIR_COLLECTOR_PORT,
  WEIR_COLLECTOR_NAME: settings.WEIR_COLLECTOR_NAME,
  WEIR_SPOOL_DIR: settings.WEIR_SPOOL_DIR,
  WEIR_SPOOL_BYTES_MAX: settings.WEIR_SPOOL_BYTES_MAX,
  WEIR_EDGE_SECRET: settings.WEIR_EDGE_SECRET,
});

export type CollectorConfig = z.output<typeof shape>;

/** Reads the settings of a collector. Throws a ConfigError with every fault. */
export function readCollectorConfig(source: ConfigSource): CollectorConfig {
  return readConfig(shape, source, settingNames);
}

/** The secrets that a listening collector checks batches with. Throws a ConfigError where there are none. */
export function secretsOf(config: CollectorConfig): readonly string[] {
  const secrets = config.WEIR_EDGE_SECRET ?? [];
  if (secrets.length > 0) return secrets;
  throw new ConfigError(["WEIR_EDGE_SECRET: a collector that listens checks signatures and needs a secret"]);
}
