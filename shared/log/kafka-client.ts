// What both Kafka clients are given, and how their errors are told: never with a secret in them.
import type { BaseOptions } from "@platformatic/kafka";
import { type KafkaConfig, logLevel } from "kafkajs";
import type { KafkaTarget } from "./kafka-url.ts";

/** Options of the platformatic client, which produces, administers and reads beside the owners. */
export function baseOptions(target: KafkaTarget, clientId: string): BaseOptions {
  return {
    clientId,
    bootstrapBrokers: [...target.brokers],
    connectTimeout: 5_000,
    retries: 2,
    retryDelay: 250,
    ...(target.tls && {
      tls: target.tls.ca === undefined ? {} : { ca: target.tls.ca },
      ...(target.tls.serverName && { tlsServerName: true }),
    }),
    ...(target.sasl && { sasl: { ...target.sasl } }),
  };
}

/** Options of kafkajs, which consumes as one of a group. Its own log lines are left out. */
export function consumerOptions(target: KafkaTarget, clientId: string): KafkaConfig {
  return {
    clientId,
    brokers: [...target.brokers],
    connectionTimeout: 5_000,
    // A broker that hung answers none of what was asked before; joining has a longer limit of its own.
    requestTimeout: 10_000,
    logLevel: logLevel.NOTHING,
    ...(target.tls && { ssl: target.tls.ca === undefined ? true : { ca: [target.tls.ca] } }),
    ...(target.sasl && { sasl: toSasl(target.sasl) }),
  };
}

/**
 * A client's error as one of ours: what it says, without the objects it drags along and with the
 * password taken out wherever it may have got to.
 */
export function toError(target: KafkaTarget, doing: string, error: unknown): Error {
  return new Error(`${target.label}: ${doing}: ${cleanText(target, error)}`);
}

/** What an error and those inside it say, each once, without the password. */
export function cleanText(target: KafkaTarget, error: unknown): string {
  const text = [...new Set(sayings(error, 0))].join(": ").slice(0, 500);
  const password = target.sasl?.password;
  return password === undefined || password === "" ? text : text.replaceAll(password, "…");
}

// The outermost says what failed and the innermost why; five levels are more than either client nests.
function* sayings(error: unknown, depth: number): Iterable<string> {
  if (!(error instanceof Error) || depth === 5) return;
  yield error.message || error.name;
  if (error instanceof AggregateError) yield* sayings(error.errors.at(-1), depth + 1);
  yield* sayings(error.cause, depth + 1);
}

function toSasl(sasl: NonNullable<KafkaTarget["sasl"]>): NonNullable<KafkaConfig["sasl"]> {
  const { username, password } = sasl;
  switch (sasl.mechanism) {
    case "PLAIN":
      return { mechanism: "plain", username, password };
    case "SCRAM-SHA-256":
      return { mechanism: "scram-sha-256", username, password };
    case "SCRAM-SHA-512":
      return { mechanism: "scram-sha-512", username, password };
  }
}
