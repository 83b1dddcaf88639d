// The store port: one PostgreSQL or TimescaleDB, reached by a pool for questions and by sessions of one's own for writing.
import type { Sql } from "postgres";

/** What the store is: plain partitions, or a hypertable with or without the community functions. */
export type StoreFlavour = "postgresql" | "timescale-apache" | "timescale-community";

/**
 * An open store. Everything of ours lies in one schema, first on the search path; queries name tables
 * bare. A query may reject at any time because the server is away: `isAway` of errors.ts tells.
 */
export interface Store {
  /** Scheme, host and database as they may be shown; never a credential. */
  readonly label: string;
  readonly schema: string;
  /** What holds the events, as it was found last; `migrate` asks again. */
  readonly flavour: StoreFlavour;
  /** As the server says it, such as "18.4". */
  readonly serverVersion: string;
  /** A pool whose statements end after `queryStatementMs`; it leaves no state in a session. */
  readonly sql: Sql;
  /** A session of one's own, for one transaction at a time; its statements end after `writeStatementMs`. */
  writer(): Promise<Sql>;
  /** Asks the server anew what it is. */
  inspect(): Promise<void>;
  /** Ends every session, and the server where this process started it. */
  close(): Promise<void>;
}

/** Why a store cannot be opened or brought up to date. */
export type StoreFault =
  | "store_url_invalid"
  | "store_unreachable"
  | "store_refused"
  | "store_version_unsupported"
  | "store_binaries_missing"
  | "store_start_failed"
  | "migration_changed"
  | "migration_newer"
  | "migration_failed"
  | "extension_missing";

/** A fault of the store itself, told so that an operator can act; it never shows a credential. */
export class StoreError extends Error {
  readonly code: StoreFault;
  constructor(code: StoreFault, detail: string, options?: { cause?: unknown }) {
    super(detail, options);
    this.name = "StoreError";
    this.code = code;
  }
}

/** How a store is opened: `dataDir` is where an embedded one without a path lies, `ca` a PEM text. */
export interface StoreOptions {
  schema: string;
  dataDir: string;
  ca?: string | undefined;
}
