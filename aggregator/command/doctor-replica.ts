// What doctor says of WEIR_READ_URL: reached, following the store, as far migrated, and how far behind.
import type { Sql } from "postgres";
import type { Finding } from "../../shared/command.ts";
import type { Store } from "../store/store.ts";

/** Behind by more than this, figures are visibly old. */
const lagSecondsMax = 60;
const momentMs = 1_000;
const pollMs = 50;
const name = "replica";

/** Looks at the replica beside its store; neither is changed. */
export async function examineReplica(primary: Store, open: () => Promise<Store>): Promise<Finding> {
  let replica: Store;
  try {
    replica = await open();
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    return {
      name,
      state: "bad",
      found,
      advice: "check WEIR_READ_URL; questions are refused until it answers",
    };
  }
  try {
    return await compare(primary.sql, replica);
  } finally {
    await replica.close();
  }
}

async function compare(primary: Sql, { sql, label }: Store): Promise<Finding> {
  const tell = (state: Finding["state"], found: string, advice = ""): Finding => {
    return { name, state, found: `${label}: ${found}`, advice };
  };
  const [ours, theirs] = await Promise.all([identityOf(primary), identityOf(sql)]);
  if (ours !== theirs) return tell("bad", "it follows another server", "set WEIR_READ_URL to a replica");
  const [state] = await sql<[{ is_replica: boolean; is_migrated: boolean; seconds: number | null }]>`
    select pg_is_in_recovery() as is_replica,
      to_regclass('schema_migrations') is not null as is_migrated,
      extract(epoch from now() - pg_last_xact_replay_timestamp())::float8 as seconds`;
  if (!state.is_replica) return tell("weak", "it takes writes itself", "set WEIR_READ_URL to a replica");
  const [needed, has] = await Promise.all([newestOf(primary), state.is_migrated ? newestOf(sql) : ""]);
  const behind = await bytesBehind(primary, sql);
  if (needed !== has) {
    return tell("bad", `its schema is at ${has || "nothing"}, not at ${needed}`, "look whether it follows");
  }
  const seconds = behind === 0 ? 0 : (state.seconds ?? 0);
  const found =
    behind === 0 ? "it has everything" : `${behind} bytes behind, ${seconds.toFixed(1)} s at most`;
  if (seconds <= lagSecondsMax) return tell("ok", found);
  return tell("weak", found, "look whether it follows; answers tell its lag as as_of");
}

const identityOf = async (sql: Sql): Promise<string> =>
  String((await sql`select system_identifier::text as id from pg_control_system()`)[0]?.["id"]);

const newestOf = async (sql: Sql): Promise<string> =>
  String((await sql`select max(name) as name from schema_migrations`)[0]?.["name"] ?? "");

// How far it is from where the primary was, once it has had a moment to get there.
async function bytesBehind(primary: Sql, replica: Sql): Promise<number> {
  const [written] = await primary`select (pg_current_wal_flush_lsn() - '0/0')::float8 as position`;
  const until = Date.now() + momentMs;
  for (;;) {
    const [replayed] = await replica`select (pg_last_wal_replay_lsn() - '0/0')::float8 as position`;
    const behind = Math.max(0, Number(written?.["position"]) - Number(replayed?.["position"]));
    if (behind === 0 || Date.now() > until) return behind;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}
