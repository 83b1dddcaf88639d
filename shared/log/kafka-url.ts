// A Kafka URL taken apart: brokers, TLS and credentials, and a label that shows none of the last.
import { isIP } from "node:net";

export type SaslMechanism = "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";

/** Where the brokers are and how to come in. */
export interface KafkaTarget {
  brokers: readonly string[];
  /** Scheme and brokers; never a credential. */
  label: string;
  /** Present where the connection is encrypted. */
  tls: { ca: string | undefined; serverName: boolean } | undefined;
  sasl: { mechanism: SaslMechanism; username: string; password: string } | undefined;
}

const mechanisms: Readonly<Record<string, SaslMechanism>> = {
  plain: "PLAIN",
  "scram-sha-256": "SCRAM-SHA-256",
  "scram-sha-512": "SCRAM-SHA-512",
};
const defaultPort = 9092;

/**
 * Reads `kafka://host:port,…` or `kafka+tls://user:pass@host:port,…?mechanism=…` (scram-sha-512 when
 * absent). User and password are percent-decoded; a password may hold `@` and `:` as they are. Errors
 * name the fault and never the URL.
 */
export function readKafkaUrl(url: string, ca: string | undefined): KafkaTarget {
  const found = /^(kafka|kafka\+tls):\/\/(?:(.*)@)?([^@/?#]+)\/?(?:\?([^@]*))?$/s.exec(url);
  if (found === null)
    throw new Error("the log's URL is not kafka://host:port or kafka+tls://user:pass@host:port");
  const [, scheme, userInfo, hosts = "", query] = found;
  const brokers = hosts.split(",").map(readBroker);
  if (scheme === "kafka" && userInfo !== undefined) {
    throw new Error("the log's URL carries credentials over an open connection: use kafka+tls://");
  }
  const label = `${scheme}://${brokers.join(",")}`;
  const parameters = new URLSearchParams(query ?? "");
  for (const name of parameters.keys()) {
    if (name !== "mechanism") throw new Error("the log's URL has a parameter other than mechanism");
  }
  if (scheme === "kafka") return { brokers, label, tls: undefined, sasl: undefined };
  return {
    brokers,
    label,
    // A name is sent along so that shared front ends know whom they are asked for; an address must not be.
    tls: { ca, serverName: brokers.every((broker) => isIP(hostOf(broker)) === 0) },
    sasl: userInfo === undefined ? undefined : readCredentials(userInfo, parameters.get("mechanism")),
  };
}

function readBroker(text: string): string {
  const found = /^(\[[0-9a-fA-F:]+\]|[^:\s]+)(?::(\d{1,5}))?$/.exec(text.trim());
  if (found === null) throw new Error("the log's URL names a broker that is not host:port");
  return `${found[1]}:${found[2] ?? defaultPort}`;
}

function hostOf(broker: string): string {
  return broker.slice(0, broker.lastIndexOf(":")).replace(/^\[|\]$/g, "");
}

function readCredentials(userInfo: string, mechanism: string | null): KafkaTarget["sasl"] {
  const known = mechanisms[(mechanism ?? "scram-sha-512").toLowerCase()];
  if (known === undefined) {
    throw new Error(`the log's URL asks for a mechanism other than ${Object.keys(mechanisms).join(", ")}`);
  }
  const colon = userInfo.indexOf(":");
  if (colon < 1) throw new Error("the log's URL has a user without a password");
  return {
    mechanism: known,
    username: decode(userInfo.slice(0, colon)),
    password: decode(userInfo.slice(colon + 1)),
  };
}

// A lone % is taken as it stands: it is more likely part of a password than a broken code.
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
