// An edge by itself, from its environment, on Deno or Node: `deno run edge/adapter/start.ts`, or the same by node.
import * as z from "zod/mini";
import en from "zod/v4/locales/en.js";
import { processSource, runCommand, untilStopped } from "../../shared/command.ts";
import { settingNames } from "../../shared/settings.ts";
import { createLogger } from "../../shared/telemetry/logger.ts";
import { createPrometheus } from "../../shared/telemetry/prometheus.ts";
import { readEdgeConfig } from "../config.ts";
import { startEdge } from "../main.ts";

// The sentences of a fault, which zod/mini leaves out.
z.config(en());

await runCommand(async () => {
  const { meter, exposition } = createPrometheus();
  const logger = createLogger({ process: "edge" });
  const edge = await startEdge({
    config: readEdgeConfig(processSource, settingNames),
    meter,
    logger,
    exposition,
  });
  process.stdout.write(`edge ${edge.url}\n`);
  await untilStopped();
  await edge.close();
  return undefined;
});
