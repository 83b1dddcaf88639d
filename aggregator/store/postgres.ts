// The postgres: driver: a server that somebody else runs, reached by its URL.
import { type Address, connect } from "./connect.ts";
import { type Store, StoreError, type StoreOptions } from "./store.ts";

/**
 * `postgres://user:password@host:port/database?sslmode=verify-full|require|disable`. Without `sslmode`
 * loopback is plain and everything else is verified in full; `require` encrypts and verifies nothing.
 */
export async function postgresStore(url: string, options: StoreOptions): Promise<Store> {
  return await connect(readUrl(url, options.ca), options.schema);
}

function readUrl(text: string, ca: string | undefined): Address {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === "") throw invalid("it is no URL with a host");
  // An unescaped @ and # would have a part of the password taken for the host, which is shown.
  if (url.hash !== "") throw invalid("a # in the user or password is written %23, an @ %40, a / %2F");
  for (const name of url.searchParams.keys()) {
    if (name !== "sslmode") throw invalid(`${name} is no parameter of it; sslmode is`);
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const database = decoded(url.pathname.slice(1)) || "weir";
  return {
    label: `postgres://${url.host}/${database}`,
    host,
    port: url.port === "" ? 5432 : Number(url.port),
    database,
    user: decoded(url.username) || "weir",
    password: decoded(url.password),
    tls: tlsOf(url.searchParams.get("sslmode") ?? (isLoopback(host) ? "disable" : "verify-full"), ca),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid("a % in it that is meant is written %25");
  }
}

function tlsOf(mode: string, ca: string | undefined): Address["tls"] {
  if (mode === "disable") return undefined;
  if (mode === "require") return { verify: false };
  if (mode === "verify-full") return { verify: true, ca };
  throw invalid("sslmode is one of verify-full, require, disable");
}

const isLoopback = (host: string): boolean => /^(localhost|127\.\d+\.\d+\.\d+|::1)$/.test(host);

// The URL itself is never shown, since it may hold a password.
const invalid = (detail: string): StoreError =>
  new StoreError("store_url_invalid", `The store's URL cannot be used: ${detail}.`);
