// What doctor says of the store: reachable, which flavour, how far migrated, how fresh, who may send.
import type { Finding } from "../../shared/command.ts";
import { readCanaries } from "../completeness/canaries.ts";
import { ageOf, boundSeconds } from "../completeness/freshness.ts";
import { isReaderKept, readerRoles } from "../store/reader.ts";
import type { Store } from "../store/store.ts";
import { examineReplica } from "./doctor-replica.ts";

/** What of the settings it looks at. */
interface Expected {
  WEIR_CANARY_SECONDS: number;
  WEIR_FRESHNESS_MAX_SECONDS: number;
  WEIR_READ_URL?: string | undefined;
}

/** Looks at the store, and at the replica where there is one; never changes them. */
export async function examineStore(
  open: (url?: string) => Promise<Store>,
  expected: Expected,
): Promise<Finding[]> {
  const readUrl = expected.WEIR_READ_URL;
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
      ...(await examineTables(store, expected)),
      ...(readUrl === undefined ? [] : [await examineReplica(store, () => open(readUrl))]),
    ];
  } finally {
    await store.close();
  }
}

function flavourAdvice(store: Store): string {
  return store.flavour === "postgresql" ? "TimescaleDB would make the events a hypertable" : "";
}

async function examineTables(store: Store, expected: Expected): Promise<Finding[]> {
  const [tables] = await store.sql`select to_regclass('ledger_hours') is not null as made`;
  if (tables?.["made"] !== true) {
    return [{ name: "schema", state: "bad", found: "tables are missing", advice: "run weir migrate" }];
  }
  const [keys] = await store.sql`select count(*)::int as held from write_keys where revoked_at is null`;
  const [newest] = await store.sql`
    select greatest(max(stored_at), (select max(newest_stored_at) from ledger_hours)) as stored_at from ledger`;
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
    await examineReader(store),
    ...(await examineFreshness(store, expected)),
  ];
}

// Without the roles all works but this, so it is no fault.
async function examineReader({ sql, schema }: Store): Promise<Finding> {
  const { reader } = readerRoles(schema);
  const isKept = await isReaderKept(sql, schema);
  return {
    name: "role for the views",
    state: isKept ? "ok" : "weak",
    found: isKept ? reader : `${reader} is not there or lacks a right`,
    advice: isKept ? "" : "run weir migrate as a user with createrole; until then weir query has all rights",
  };
}

// An edge that is gone is told of; only where no edge's canary is fresh is something wrong.
async function examineFreshness(store: Store, expected: Expected): Promise<Finding[]> {
  const canarySeconds = expected.WEIR_CANARY_SECONDS;
  if (canarySeconds === 0) return [];
  const bound = boundSeconds({ canarySeconds, maxSeconds: expected.WEIR_FRESHNESS_MAX_SECONDS });
  const canaries = await readCanaries(store.sql);
  const now = Date.now();
  const isFresh = canaries.some((canary) => ageOf(canary, now) <= bound);
  if (canaries.length === 0) {
    return [{ name: "freshness", state: "weak", found: "no canary yet", advice: "start an edge" }];
  }
  return canaries.map((canary) => {
    const age = ageOf(canary, now);
    const took = Math.max(0, canary.storedAt - canary.sentAt) / 1_000;
    return {
      name: `freshness of edge ${canary.edge}`,
      state: age <= bound ? "ok" : isFresh ? "weak" : "bad",
      found: `its newest canary was sent ${age.toFixed(1)} s ago, and stored ${took.toFixed(1)} s after`,
      advice: age <= bound ? "" : "look whether edge, collector, log and aggregator run",
    };
  });
}
