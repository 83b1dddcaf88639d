// Sessions of PostgreSQL by postgres.js: what both drivers share once they know where the server is.
import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import postgres, { type Options, type Sql } from "postgres";
import { queryStatementMs, writeStatementMs } from "../../shared/limits.ts";
import { createDial } from "./dial.ts";
import { errorCode, errorText } from "./errors.ts";
import { openPool } from "./pool.ts";
import { type Store, StoreError, type StoreFlavour } from "./store.ts";

/** Where a server is and who asks. `tls` undefined is a plain connection. */
export interface Address {
  label: string;
  host: string;
  port: number;
  database: string;
  user: string;
  password: string;
  tls?: { verify: boolean; ca?: string | undefined } | undefined;
}

/** Sessions of one process for questions; PostgreSQL's default is 100 for all. */
const poolSize = 8;
const connectSeconds = 10;
/** The oldest and newest versions the migrations and the write path are tested with. */
const versions = { oldest: 15, newest: 18 };

/** Opens the store at an address; `end` runs after the sessions have ended. */
export async function connect(
  address: Address,
  schema: string,
  end: () => Promise<void> = async () => {},
): Promise<Store> {
  const found = await ask(address, schema);
  let flavour = found.flavour;
  const path = `${schema}, ${found.extensionSchema}`;
  const sessions: Sql[] = [];
  const open = (extra: Options<Record<string, never>>, statementMs: number): Sql => {
    const connection = settingsOf(path, statementMs);
    const sql = openPool((closed) => session(address, { ...extra, connection, onclose: closed }));
    sessions.push(sql);
    return sql;
  };
  const sql = open({ max: poolSize, prepare: false, idle_timeout: 60 }, queryStatementMs);
  return {
    label: address.label,
    schema,
    serverVersion: found.version,
    get flavour() {
      return flavour;
    },
    sql,
    writer: async () => open({ max: 1, max_lifetime: null }, writeStatementMs),
    async inspect() {
      flavour = (await ask(address, schema)).flavour;
    },
    async close() {
      await Promise.all(sessions.map((each) => each.end({ timeout: 5 })));
      await end();
    },
  };
}

interface Found {
  version: string;
  flavour: StoreFlavour;
  extensionSchema: string;
}

// The flavour is that of the events table where there is one: an extension created later changes nothing.
async function ask(address: Address, schema: string): Promise<Found> {
  const sql = session(address, { max: 1, prepare: false });
  try {
    const [row] = await sql`
      select
        current_setting('server_version') as version,
        current_setting('server_version_num')::int / 10000 as major,
        current_setting('timescaledb.license', true) as license,
        (select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace
          where e.extname = 'timescaledb') as extension_schema,
        (select c.relkind::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname = ${schema} and c.relname = 'events') as events_kind`;
    const major = Number(row?.["major"]);
    if (major < versions.oldest || major > versions.newest) {
      throw new StoreError(
        "store_version_unsupported",
        `${address.label} is PostgreSQL ${major}; ${versions.oldest} to ${versions.newest} are supported.`,
      );
    }
    const isTimescale = row?.["extension_schema"] != null && row["events_kind"] !== "p";
    const community = row?.["license"] === "timescale";
    return {
      version: String(row?.["version"]).split(" ")[0]!,
      flavour: isTimescale ? (community ? "timescale-community" : "timescale-apache") : "postgresql",
      extensionSchema: row?.["extension_schema"] ?? "public",
    };
  } catch (error) {
    throw told(error, address);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

function settingsOf(searchPath: string, statementMs: number): Record<string, string> {
  return {
    search_path: searchPath,
    statement_timeout: String(statementMs),
    idle_in_transaction_session_timeout: String(2 * writeStatementMs),
    timezone: "UTC",
  };
}

function session(address: Address, extra: Options<Record<string, never>>): Sql {
  const { host, port, database, user, password, tls } = address;
  // `socket` is read by the library and missing in its types.
  const dialled = { socket: createDial(host, port) };
  return postgres({
    ...dialled,
    host,
    port,
    database,
    user,
    password,
    ssl:
      tls === undefined
        ? false
        : tls.verify
          ? {
              rejectUnauthorized: true,
              ...(isIP(host) === 0 ? { servername: host } : {}),
              // The name in the URL decides, also where it is an address and the library names none.
              checkServerIdentity: (_: string, certificate: Parameters<typeof checkServerIdentity>[1]) =>
                checkServerIdentity(host, certificate),
              ...(tls.ca === undefined ? {} : { ca: tls.ca }),
            }
          : { rejectUnauthorized: false },
    connect_timeout: connectSeconds,
    onnotice: () => {},
    ...extra,
    connection: { application_name: "weir", ...extra.connection },
  });
}

function told(error: unknown, address: Address): unknown {
  if (error instanceof StoreError) return error;
  const code = errorCode(error);
  if (/^28/.test(code)) {
    return new StoreError("store_refused", `${address.label} refuses the user or the password.`, {
      cause: error,
    });
  }
  if (code === "3D000") {
    return new StoreError("store_refused", `${address.label}: there is no such database.`, { cause: error });
  }
  return new StoreError("store_unreachable", `${address.label} cannot be reached: ${errorText(error)}`, {
    cause: error,
  });
}
