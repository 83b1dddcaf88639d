// Every setting of every process in one list: its name, its rule, its default, and what it is for. By
// zod/mini, since an edge carries the list into a Worker, where the whole of zod would be half its size.
import * as z from "zod/mini";
import { ledgerDays } from "./limits.ts";

const text = (fallback: string) => z._default(z.string(), fallback);
const number = (fallback: number, least: number, most = Number.POSITIVE_INFINITY) =>
  z._default(z.coerce.number().check(z.minimum(least), z.maximum(most)), fallback);
const whole = (fallback: number, least: number, most = Number.MAX_SAFE_INTEGER) =>
  z._default(z.coerce.number().check(z.int(), z.minimum(least), z.maximum(most)), fallback);
const port = (fallback: number) => whole(fallback, 0, 65_535);
const list = z.pipe(
  z.string(),
  z.transform((given: string) =>
    given
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== ""),
  ),
);
const yes = z.pipe(
  z._default(z.enum(["0", "1"]), "0"),
  z.transform((value: "0" | "1") => value === "1"),
);

/** The rules of an edge, which stand alone in a Worker. */
export const edgeSettings = {
  WEIR_HOST: text("127.0.0.1"),
  WEIR_EDGE_PORT: port(8787),
  WEIR_EDGE_NAME: z._default(z.string().check(z.maxLength(64)), "edge"),
  WEIR_COLLECTOR_URL: z._default(
    z.string().check(z.regex(/^(local:|https?:\/\/)/, "must be local: or an http(s) URL")),
    "local:",
  ),
  WEIR_EDGE_SECRET: z.optional(list),
  WEIR_KEYS_URL: z.optional(z.url()),
  WEIR_TRUSTED_PROXIES: z.optional(z.string()),
  WEIR_BUFFER_BYTES_MAX: whole(256 * 1024 * 1024, 4 * 1024 * 1024),
  WEIR_BUFFER_OBJECTS: whole(4, 1, 256),
  WEIR_SEGMENT_UPSTREAM: z.optional(z.url({ protocol: /^https?$/ })),
  WEIR_SEGMENT_UPSTREAM_COPY: yes,
  WEIR_POSTHOG_UPSTREAM: z.optional(z.url({ protocol: /^https?$/ })),
  WEIR_POSTHOG_UPSTREAM_COPY: yes,
  WEIR_RATE_EVENTS_PER_SECOND: z._default(z.coerce.number().check(z.positive()), 50_000),
  WEIR_CANARY_SECONDS: number(10, 0, 3_600),
} as const;

/**
 * One zod rule a name. A process picks its own names; an unknown name is a fault in all of them. Made by a
 * function so that a bundler may leave it out.
 */
export const settings = /* @__PURE__ */ (() =>
  ({
    ...edgeSettings,
    WEIR_COLLECTOR_PORT: port(8788),
    WEIR_AGGREGATOR_PORT: port(8789),
    WEIR_COLLECTOR_NAME: z.optional(z.string().check(z.maxLength(64))),
    WEIR_FRESHNESS_MAX_SECONDS: number(60, 1),
    WEIR_DATA_DIR: text("./.weir"),
    WEIR_LOG_URL: z.optional(z.string()),
    WEIR_LOG_TOPIC: text("weir.events"),
    WEIR_LOG_PARTITIONS: z.optional(z.coerce.number().check(z.int(), z.minimum(1), z.maximum(1024))),
    WEIR_LOG_REPLICATION: whole(3, 1, 9),
    WEIR_LOG_ALLOW_WEAK: yes,
    WEIR_METRICS_TOPIC: text("weir.metrics"),
    WEIR_ALERTS_TOPIC: text("weir.alerts"),
    WEIR_LATENESS_ALLOWED_SECONDS: number(3_600, 0, 86_400),
    WEIR_CLAIMS_URL: z.optional(z.string()),
    WEIR_SPOOL_DIR: z.optional(z.string().check(z.minLength(1))),
    WEIR_SPOOL_BYTES_MAX: whole(1024 * 1024 * 1024, 16 * 1024 * 1024),
    WEIR_STORE_URL: z.optional(z.string()),
    WEIR_STORE_SCHEMA: z._default(
      z.string().check(z.regex(/^[a-z_][a-z0-9_]{0,62}$/, "must be a plain lower-case name")),
      "weir",
    ),
    WEIR_READ_URL: z.optional(z.string().check(z.regex(/^postgres(ql)?:\/\//, "must be a postgres:// URL"))),
    WEIR_LEDGER_DAYS: whole(ledgerDays, 8, 36_500),
    WEIR_EDGE_BUFFERS: z.optional(list),
    WEIR_QUARANTINE_DAYS: whole(90, 1, 36_500),
    WEIR_RETENTION_DAYS: whole(0, 0, 36_500),
    WEIR_CONVERSION_TYPES: z.optional(list),
    WEIR_ALERT_RULES: z.optional(z.string()),
    WEIR_ALERT_WEBHOOK_URL: z.optional(z.url({ protocol: /^https?$/ })),
    WEIR_ALERT_WEBHOOK_SECRET: z.optional(
      z
        .string()
        .check(
          z.regex(
            /^whsec_([A-Za-z0-9+/]{4}){6,}([A-Za-z0-9+/=]{4})?$/,
            "must be whsec_ and base64 of 24 bytes or more",
          ),
        ),
    ),
    WEIR_TLS_CA: z.optional(z.string()),
    WEIR_API_TOKEN: z.optional(z.string().check(z.minLength(16))),
  }) as const)();

export type SettingName = keyof typeof settings;

const purposes: Readonly<Record<SettingName, string>> = {
  WEIR_HOST: "Address the processes listen on",
  WEIR_EDGE_PORT: "Port of the edge; 0 takes a free one",
  WEIR_EDGE_NAME: "Name of this edge in batches, logs and metrics",
  WEIR_COLLECTOR_URL: "Where an edge forwards to; local: is the collector in the same process",
  WEIR_EDGE_SECRET: "Secrets that sign batches, comma-separated; the first signs, all are accepted",
  WEIR_KEYS_URL: "Aggregator an edge learns its write keys from",
  WEIR_TRUSTED_PROXIES:
    "Whose word an edge takes for a client's address: how many proxies are before it, their networks, cloudflare, vercel, fly or cloudfront; comma-separated, nobody by default",
  WEIR_BUFFER_BYTES_MAX:
    "Bytes of each Durable Object that keeps a Worker's batches while the collector is away",
  WEIR_BUFFER_OBJECTS: "Durable Objects that a Worker's buffer is spread over",
  WEIR_SEGMENT_UPSTREAM:
    "Segment's own API, such as https://api.segment.io; copies of its clients' events go there",
  WEIR_SEGMENT_UPSTREAM_COPY: "1 sends Segment a copy of each request after its answer",
  WEIR_POSTHOG_UPSTREAM:
    "PostHog itself, such as https://us.i.posthog.com; it is asked for flags, replay and surveys",
  WEIR_POSTHOG_UPSTREAM_COPY: "1 sends PostHog a copy of each request after its answer",
  WEIR_RATE_EVENTS_PER_SECOND: "Events a second taken per write key and edge instance",
  WEIR_CANARY_SECONDS:
    "Seconds between an edge's canaries, which tell how fresh the store is; 0 sends and judges none",
  WEIR_COLLECTOR_PORT: "Port of the collector; 0 takes a free one",
  WEIR_AGGREGATOR_PORT: "Port of the aggregator's API and dashboard; 0 takes a free one",
  WEIR_COLLECTOR_NAME: "Name of this collector in receipts; made up when absent",
  WEIR_FRESHNESS_MAX_SECONDS:
    "Age of the newest stored canary at which an aggregator is not ready; never below three canaries",
  WEIR_DATA_DIR: "Folder of the embedded log, claims and database",
  WEIR_LOG_URL: "The log: kafka://, kafka+tls:// or sqlite:",
  WEIR_LOG_TOPIC: "Topic of the events",
  WEIR_LOG_PARTITIONS: "Partitions of a topic made here; 24, or 1 on sqlite:",
  WEIR_LOG_REPLICATION: "Replicas of a topic made here",
  WEIR_LOG_ALLOW_WEAK: "1 accepts a log weaker than three replicas with two in sync",
  WEIR_METRICS_TOPIC: "Topic of closed hours and days; empty: they stay in the store's table of notices",
  WEIR_ALERTS_TOPIC: "Topic of alerts; empty: they stay in the store's table of notices",
  WEIR_LATENESS_ALLOWED_SECONDS:
    "Seconds after its end before an hour or a day is closed and told; what comes later corrects it",
  WEIR_CLAIMS_URL: "The claims: redis://, rediss://, https:// (Upstash) or sqlite:",
  WEIR_SPOOL_DIR: "Lasting folder where a collector keeps records while the log is down; none without it",
  WEIR_SPOOL_BYTES_MAX: "Bytes of the spool; past them batches get 503",
  WEIR_STORE_URL: "The store: postgres:// or embedded:",
  WEIR_STORE_SCHEMA: "Schema that holds everything of ours",
  WEIR_READ_URL: "A replica of the store, postgres://; questions are asked of it alone",
  WEIR_LEDGER_DAYS:
    "Days a batch stays in the ledger by itself, then as part of its hour; longer than log, spools and resends keep it",
  WEIR_EDGE_BUFFERS:
    "Addresses of edges with a buffer, comma-separated; the proof asks each what it still holds",
  WEIR_RETENTION_DAYS: "Days an event is kept after it happened; 0: for ever",
  WEIR_ALERT_RULES: "File of alert rules, YAML or JSON; without one the built-in rules hold",
  WEIR_ALERT_WEBHOOK_URL: "Address that is told when an alert fires or is resolved, such as Slack's",
  WEIR_ALERT_WEBHOOK_SECRET: "Key that signs what the webhook gets: whsec_ and base64 of 24 bytes or more",
  WEIR_CONVERSION_TYPES: "Types of events that the live windows count as conversions; purchase by default",
  WEIR_QUARANTINE_DAYS: "Days an event stays in quarantine after it was received",
  WEIR_TLS_CA: "PEM of the authority that signed the servers' certificates",
  WEIR_API_TOKEN:
    "An admin's token of the API and dashboard; beyond loopback this is needed, or one of weir tokens",
};

/** What a setting is for, as one sentence without its full stop. */
export const aboutSetting = (name: SettingName): string => purposes[name];

/** The names every process knows, so that a misspelt one is refused by all of them. */
export const settingNames: readonly string[] = /* @__PURE__ */ Object.keys(settings);
