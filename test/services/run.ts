// Runs Redis, Kafka and TimescaleDB without containers until it is stopped, and says how to use them.
// `bun test/services/run.ts [--env FILE]` writes the settings of the three processes, one a line.
import { writeFileSync } from "node:fs";
import { startKafka } from "./kafka.ts";
import { startRedis } from "./redis.ts";
import { startTimescale } from "./timescale.ts";

const started = await Promise.all([startRedis(), startKafka(), startTimescale()]);
const [claims, log, store] = started.map((service) => {
  if ("url" in service) return service.url;
  console.error(`missing: ${service.missing}`);
  return undefined;
});
const stop = async (): Promise<void> => {
  await Promise.all(started.map((service) => ("url" in service ? service.stop() : undefined)));
  process.exit(claims && log && store ? 0 : 1);
};
if (!claims || !log || !store) await stop();

const lines = [
  `WEIR_CLAIMS_URL=${claims}`,
  `WEIR_LOG_URL=${log}`,
  "WEIR_LOG_ALLOW_WEAK=1",
  `WEIR_STORE_URL=${store}`,
];
const file = process.argv[2] === "--env" ? process.argv[3] : undefined;
if (file !== undefined) writeFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
console.log(lines.join("\n"));
process.on("SIGINT", stop);
process.on("SIGTERM", stop);
