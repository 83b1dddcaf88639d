// Every setting of every process in one list: its name, its rule, its default, and what it is for.
import { z } from "zod";
import { ledgerDays } from "./limits.ts";

const port = (fallback: number) => z.coerce.number().int().min(0).max(65_535).default(fallback);
const list = z.string().transform((text) =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== ""),
);
const yes = z
  .enum(["0", "1"])
  .default("0")
  .transform((value) => value === "1");

/** One zod rule a name. A process picks its own names; an unknown name is a fault in all of them. */
export const settings = {
  WEIR_HOST: z.string().default("127.0.0.1").describe("Address the processes listen on"),
  WEIR_EDGE_PORT: port(8787).describe("Port of the edge; 0 takes a free one"),
  WEIR_COLLECTOR_PORT: port(8788).describe("Port of the collector; 0 takes a free one"),
  WEIR_AGGREGATOR_PORT: port(8789).describe("Port of the aggregator's API and dashboard; 0 takes a free one"),
  WEIR_EDGE_NAME: z
    .string()
    .max(64)
    .default("edge")
    .describe("Name of this edge in batches, logs and metrics"),
  WEIR_COLLECTOR_NAME: z
    .string()
    .max(64)
    .optional()
    .describe("Name of this collector in receipts; made up when absent"),
  WEIR_COLLECTOR_URL: z
    .string()
    .regex(/^(local:|https?:\/\/)/, "must be local: or an http(s) URL")
    .default("local:")
    .describe("Where an edge forwards to; local: is the collector in the same process"),
  WEIR_EDGE_SECRET: list
    .optional()
    .describe("Secrets that sign batches, comma-separated; the first signs, all are accepted"),
  WEIR_KEYS_URL: z.url().optional().describe("Aggregator an edge learns its write keys from"),
  WEIR_RATE_EVENTS_PER_SECOND: z.coerce
    .number()
    .positive()
    .default(50_000)
    .describe("Events a second taken per write key and edge instance"),
  WEIR_CANARY_SECONDS: z.coerce
    .number()
    .min(0)
    .max(3_600)
    .default(10)
    .describe(
      "Seconds between an edge's canaries, which tell how fresh the store is; 0 sends and judges none",
    ),
  WEIR_FRESHNESS_MAX_SECONDS: z.coerce
    .number()
    .min(1)
    .default(60)
    .describe(
      "Age of the newest stored canary at which an aggregator is not ready; never below three canaries",
    ),
  WEIR_DATA_DIR: z.string().default("./.weir").describe("Folder of the embedded log, claims and database"),
  WEIR_LOG_URL: z.string().optional().describe("The log: kafka://, kafka+tls:// or sqlite:"),
  WEIR_LOG_TOPIC: z.string().default("weir.events").describe("Topic of the events"),
  WEIR_LOG_PARTITIONS: z.coerce
    .number()
    .int()
    .min(1)
    .max(1024)
    .optional()
    .describe("Partitions of a topic made here; 24, or 1 on sqlite:"),
  WEIR_LOG_REPLICATION: z.coerce
    .number()
    .int()
    .min(1)
    .max(9)
    .default(3)
    .describe("Replicas of a topic made here"),
  WEIR_LOG_ALLOW_WEAK: yes.describe("1 accepts a log weaker than three replicas with two in sync"),
  WEIR_CLAIMS_URL: z
    .string()
    .optional()
    .describe("The claims: redis://, rediss://, https:// (Upstash) or sqlite:"),
  WEIR_SPOOL_DIR: z
    .string()
    .min(1)
    .optional()
    .describe("Lasting folder where a collector keeps records while the log is down; none without it"),
  WEIR_SPOOL_BYTES_MAX: z.coerce
    .number()
    .int()
    .min(16 * 1024 * 1024)
    .default(1024 * 1024 * 1024)
    .describe("Bytes of the spool; past them batches get 503"),
  WEIR_STORE_URL: z.string().optional().describe("The store: postgres:// or embedded:"),
  WEIR_STORE_SCHEMA: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,62}$/, "must be a plain lower-case name")
    .default("weir")
    .describe("Schema that holds everything of ours"),
  WEIR_LEDGER_DAYS: z.coerce
    .number()
    .int()
    .min(8)
    .max(36_500)
    .default(ledgerDays)
    .describe(
      "Days a batch stays in the ledger by itself, then as part of its hour; longer than log, spools and resends keep it",
    ),
  WEIR_QUARANTINE_DAYS: z.coerce
    .number()
    .int()
    .min(1)
    .max(36_500)
    .default(90)
    .describe("Days an event stays in quarantine after it was received"),
  WEIR_TLS_CA: z.string().optional().describe("PEM of the authority that signed the servers' certificates"),
  WEIR_API_TOKEN: z
    .string()
    .min(16)
    .optional()
    .describe("Token of the API and dashboard; needed where they are bound beyond loopback"),
} as const;

export type SettingName = keyof typeof settings;

/** The names every process knows, so that a misspelt one is refused by all of them. */
export const settingNames: readonly string[] = Object.keys(settings);
