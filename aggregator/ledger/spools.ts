// What lies in the spools of collectors: acknowledged, and not in the log for certain.
import { readSpool, type SpoolContent } from "../../shared/spool/read.ts";

export interface SpoolConfig {
  WEIR_SPOOL_DIR?: string | undefined;
}

export interface Spooled extends SpoolContent {
  /** Folders that could not be looked into, with why. */
  places: string[];
}

/** The folders that the settings name. */
export const spoolsOf = ({ WEIR_SPOOL_DIR: folder }: SpoolConfig): readonly string[] =>
  folder === undefined ? [] : [folder];

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
