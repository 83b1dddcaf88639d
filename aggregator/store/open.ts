// Opens a store by its URL: the scheme chooses the driver.
import { join, resolve } from "node:path";
import type { Clock } from "../../shared/clock.ts";
import { embeddedStore } from "./embedded.ts";
import { postgresStore } from "./postgres.ts";
import { followReplica, type Questioned, readStore } from "./replica.ts";
import { type Store, StoreError, type StoreOptions } from "./store.ts";

/**
 * `embedded:` (with or without a folder) or `postgres://…`. Rejects with a StoreError where the server
 * cannot be started or reached, or is of a version that is not supported. Nothing is migrated here.
 */
export async function openStore(url: string, options: StoreOptions): Promise<Store> {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(options.schema)) {
    throw new StoreError("store_url_invalid", "The store's schema must be a plain lower-case name.");
  }
  if (url.startsWith("embedded:")) {
    const path = url.slice("embedded:".length);
    return await embeddedStore(
      path === "" ? join(resolve(options.dataDir), "postgres") : resolve(path),
      options,
    );
  }
  if (/^postgres(ql)?:\/\//.test(url)) return await postgresStore(url, options);
  throw new StoreError("store_url_invalid", "The store's URL begins with postgres:// or embedded: only.");
}

/** Where questions are read: the replica that `url` names, or, without one, the store that is written. */
export function openQuestioned(
  url: string | undefined,
  store: Store,
  { clock, ca }: { clock: Clock; ca: string | undefined },
): Questioned {
  if (url === undefined) return { read: readStore(store), close: async () => {} };
  const open = (): Promise<Store> => openStore(url, { schema: store.schema, dataDir: "", ca });
  return followReplica({ primary: store, open, clock });
}
