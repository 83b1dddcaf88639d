// Transactions of a replay: they take as long as they take, on a session of their own.
import type { TransactionSql } from "postgres";
import type { Store } from "../store/store.ts";

/** Why a replay cannot be done; its text is for the person who asked for it. */
export class ReplayError extends Error {
  readonly code: "target_not_empty" | "target_foreign" | "source_unknown" | "source_lost" | "swap_refused";
  constructor(code: ReplayError["code"], detail: string) {
    super(detail);
    this.name = "ReplayError";
    this.code = code;
  }
}

/** Runs `work` in one transaction without a limit of time; by default it sees one moment of the store. */
export async function inSnapshot<T>(
  store: Store,
  work: (tx: TransactionSql) => Promise<T>,
  isolation: "repeatable read" | "read committed" = "repeatable read",
): Promise<T> {
  const session = await store.writer();
  try {
    return (await session.begin(`isolation level ${isolation}`, async (tx) => {
      await tx`
        select
          set_config('statement_timeout', '0', true),
          set_config('idle_in_transaction_session_timeout', '0', true)`;
      return await work(tx);
    })) as T;
  } finally {
    await session.end({ timeout: 5 });
  }
}
