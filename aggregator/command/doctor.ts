// What doctor says of the store: reachable, which flavour, how far migrated, how fresh, who may send.
import type { Finding } from "../../shared/command.ts";
import type { Store } from "../store/store.ts";

/** Looks at the store; never changes it. */
export async function examineStore(open: () => Promise<Store>): Promise<Finding[]> {
  let store: Store;
  try {
    store = await open();
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    return [{ name: "store", state: "bad", found, advice: "check WEIR_STORE_URL" }];
  }
  try {
    const found = `${store.label}, ${store.flavour}, PostgreSQL ${store.serverVersion}`;
    return [
      { name: "store", state: "ok", found, advice: flavourAdvice(store) },
      ...(await examineTables(store)),
    ];
  } finally {
    await store.close();
  }
}

function flavourAdvice(store: Store): string {
  return store.flavour === "postgresql" ? "TimescaleDB would make the events a hypertable" : "";
}

async function examineTables(store: Store): Promise<Finding[]> {
  const [tables] = await store.sql`select to_regclass('write_keys') is not null as made`;
  if (tables?.["made"] !== true) {
    return [{ name: "schema", state: "bad", found: "no tables", advice: "run weir migrate" }];
  }
  const [keys] = await store.sql`select count(*)::int as held from write_keys where revoked_at is null`;
  const [newest] = await store.sql`select max(stored_at) as stored_at from ledger`;
  const held = Number(keys?.["held"]);
  const storedAt = newest?.["stored_at"];
  return [
    {
      name: "write keys",
      state: held > 0 ? "ok" : "bad",
      found: String(held),
      advice: held > 0 ? "" : "run weir keys create --project NAME",
    },
    {
      name: "newest batch stored",
      state: "ok",
      found: storedAt instanceof Date ? storedAt.toISOString() : "none yet",
      advice: "",
    },
  ];
}
