// Which driver a log's URL names: the only place that knows them all.
import type { Logger } from "../logger.ts";
import type { Log } from "./log.ts";

/** What a log is opened with; what a driver has no use for it passes over. */
export interface LogOptions {
  topic: string;
  /** Partitions of a topic made here, and those an existing one must have. Absent: 24 (1 on a file). */
  partitions?: number | undefined;
  /** Replicas of a topic made here. */
  replication?: number | undefined;
  /** Takes a log whose settings can lose what was acked. */
  allowWeak?: boolean | undefined;
  /** PEM of the authority that signed the brokers' certificates. */
  ca?: string | undefined;
  /** The name shown to the brokers. */
  clientId?: string | undefined;
  logger?: Logger | undefined;
}

/**
 * Opens the log a URL names: `kafka://host:port,…`, `kafka+tls://user:pass@host:port?mechanism=…`,
 * `sqlite:path` or `memory:name`. Nothing is connected yet. The URL never shows up in an error.
 */
export async function openLog(url: string, options: LogOptions): Promise<Log> {
  const scheme = /^[a-z+]+(?=:)/.exec(url)?.[0];
  switch (scheme) {
    case "kafka":
    case "kafka+tls":
      return (await import("./kafka.ts")).kafkaLog(url, options);
    case "sqlite":
      return (await import("./sqlite.ts")).sqliteLog(url.slice("sqlite:".length), options);
    case "memory": {
      const { memoryLog, memoryPlace } = await import("./memory.ts");
      return memoryLog(memoryPlace(url.slice("memory:".length)), options);
    }
    default:
      throw new Error("the log's URL begins with none of kafka://, kafka+tls://, sqlite: and memory:");
  }
}
