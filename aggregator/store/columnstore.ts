// Old chunks of events as columns, where the server can: TimescaleDB's community edition.
import type { TransactionSql } from "postgres";
import type { Store } from "./store.ts";

/** Behind it come few late rows, and one that comes is taken all the same. */
const columnsAfterDays = 7;

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
    const [found] = await session`
      select compression_enabled as is_on
      from timescaledb_information.hypertables
      where hypertable_schema = ${store.schema} and hypertable_name = 'events'`;
    if (found === undefined || found["is_on"] === true) return;
    await session.begin(async (tx) => {
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
