// What lies in the spools of collectors: acknowledged, and not in the log for certain.
import { ledgerDays } from "../../shared/limits.ts";
import { readSpool, type SpoolContent } from "../../shared/spool/read.ts";
import type { BufferSettings } from "./buffers.ts";

export interface ProofConfig {
  WEIR_SPOOL_DIR?: string | undefined;
  WEIR_LEDGER_DAYS?: number | undefined;
  WEIR_EDGE_BUFFERS?: readonly string[] | undefined;
  WEIR_EDGE_SECRET?: readonly string[] | undefined;
}

/** What a proof needs to know besides store and log. */
export interface ProofSettings {
  /** Folders of spools. */
  spools: readonly string[];
  /** Days after which a collector with a spool must have closed it or come back. */
  silentDays: number;
  buffers: BufferSettings;
}

export interface Spooled extends SpoolContent {
  /** Folders that could not be looked into, with why. */
  places: string[];
}

/** What the settings say of it. */
export const proofSettings = ({
  WEIR_SPOOL_DIR: folder,
  WEIR_LEDGER_DAYS: silentDays = ledgerDays,
  WEIR_EDGE_BUFFERS: edges = [],
  WEIR_EDGE_SECRET: secrets = [],
}: ProofConfig): ProofSettings => ({
  spools: folder === undefined ? [] : [folder],
  silentDays,
  buffers: { edges, secrets },
});

/** Looks into these folders. One that cannot be read is named and counts as unreadable: it is never nought. */
export async function readSpools(folders: readonly string[]): Promise<Spooled> {
  const all: Spooled = { batches: new Map(), receipts: [], unreadable: 0, places: [] };
  for (const folder of folders) {
    try {
      const { batches, receipts, unreadable } = await readSpool(folder);
      for (const [id, batch] of batches) all.batches.set(id, batch);
      all.receipts.push(...receipts);
      all.unreadable += unreadable;
    } catch (error) {
      all.unreadable += 1;
      all.places.push(error instanceof Error ? error.message : folder);
    }
  }
  return all;
}
