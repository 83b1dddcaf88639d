// Old chunks of events as columns, where the server can: TimescaleDB's community edition.
import type { Sql, TransactionSql } from "postgres";
import type { Store } from "./store.ts";

/** Behind it come few late rows, and one that comes is taken all the same. */
const columnsAfterDays = 7;

/**
 * Events that lie together as one batch of columns. By the server's thousand an event takes 70.6 bytes, by this 61.4:
 * what comes again in a batch (people, sessions, paths) is told once in it. 500 late rows cost 42 ms of the processor
 * where they cost 30. By ten thousand it is 56.3 bytes, but no filter tells any more that a batch lacks an id, and
 * late rows cost 110 ms; of 32,767 TimescaleDB 2.29.2 cannot read its own.
 */
const batchEvents = 4_000;

/**
 * Has chunks turned into columns a week after their events, in the order of ids and without segments: by person,
 * a few late rows would unpack a whole chunk (30 s for 500 of them, where this way takes 50 ms). Runs again
 * without effect; elsewhere it does nothing. What the server's owner has set is left. The filters that 2.29 adds
 * by itself take 2.6 bytes a row; without any (`sparse_index = ''`) its process ends at a removal (2.29.2).
 */
export async function keepColumns(store: Store): Promise<void> {
  if (store.flavour !== "timescale-community") return;
  const session = await store.writer();
  try {
    await keepBatches(session);
    await session.begin(async (tx) => {
      // Whoever migrates at the same time waits, and then finds it made.
      await tx`select pg_advisory_xact_lock(hashtextextended(${`${store.schema}.columns`}, 0))`;
      const [found] = await tx`
        select compression_enabled as is_on
        from timescaledb_information.hypertables
        where hypertable_schema = ${store.schema} and hypertable_name = 'events'`;
      if (found === undefined || found["is_on"] === true) return;
      await tx`
        alter table events set (
          timescaledb.enable_columnstore = true,
          timescaledb.segmentby = '',
          timescaledb.orderby = 'id'
        )`;
      await tx.unsafe(
        `call add_columnstore_policy('events', after => interval '${columnsAfterDays} days', if_not_exists => true)`,
      );
    });
  } finally {
    await session.end({ timeout: 5 });
  }
}

/**
 * Makes batches larger where the server can, and ends one early whose values would not fit into memory. It is a
 * setting of sessions alone, so it is set for this role in this database: the server turns chunks into columns in a
 * session of their owner. What is set already is left, and what lies in smaller batches stays so and is read.
 */
async function keepBatches(session: Sql): Promise<void> {
  const name = "timescaledb.compression_batch_size_limit";
  await session.begin(async (tx) => {
    // Two that set it at once would fail at each other.
    await tx`select pg_advisory_xact_lock(hashtext(${name}))`;
    // Where a thousand is the most that can be set, larger batches are not read everywhere.
    const [found] = await tx`
      select current_database() as database
      from pg_settings
      where name = ${name}
        and source = 'default'
        and max_val::int > ${batchEvents}::int
        and not exists (
          select 1
          from pg_db_role_setting s
          join pg_roles r on r.oid = s.setrole and r.rolname = current_user
          join pg_database d on d.oid = s.setdatabase and d.datname = current_database()
          where array_to_string(s.setconfig, ' ') like ${`%${name}=%`}
        )`;
    if (found === undefined) return;
    const kept = `alter role current_user in database "${String(found["database"]).replaceAll('"', '""')}" set`;
    await tx.unsafe(`${kept} ${name} = ${batchEvents}`);
    await tx.unsafe(`${kept} timescaledb.enable_compressor_batch_limit = on`);
  });
}

/**
 * Runs one statement that removes or changes old rows. The server unpacks the chunk they lie in, and refuses
 * one of more than 100,000 rows unless it is told that this is meant.
 */
export async function unpacking<Value>(
  store: Store,
  work: (tx: TransactionSql) => Promise<Value>,
): Promise<Value> {
  return (await store.sql.begin(async (tx) => {
    // Elsewhere it is a name without a meaning, and a store may have become one of columns since it was opened.
    await tx`select set_config('timescaledb.max_tuples_decompressed_per_dml_transaction', '0', true)`;
    return await work(tx);
  })) as Value;
}
