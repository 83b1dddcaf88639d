// A load's own log: one JSON object a line, written before a request goes out and after its answer.
import { closeSync, createReadStream, existsSync, openSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { z } from "zod";
import { MisuseError } from "../../../shared/command.ts";
import type { IdRun } from "./id-list.ts";

const run = z.union([z.string(), z.tuple([z.string(), z.number().int().positive()])]);
const runs = z.array(run);

/** First line: which load this is. */
const begin = z.object({ load: z.string(), version: z.literal(1), url: z.string(), seed: z.number() });
/** A request is about to go out. Its events stand in its first attempt's line only. */
const sent = z.object({
  sent: z.number(),
  attempt: z.number(),
  good: runs.optional(),
  bad: runs.optional(),
  copies: runs.optional(),
});
/** A request was acknowledged: every event of it is durable, in these batches. */
const acked = z.object({
  acked: z.number(),
  attempt: z.number(),
  batch_ids: z.array(z.string()),
  received: z.number(),
  accepted: z.number(),
  duplicate: z.number(),
  quarantined: z.number(),
});
/** An attempt failed: it certainly was not received, or nobody knows. */
const failed = z.object({
  failed: z.number(),
  attempt: z.number(),
  fate: z.enum(["not_received", "unknown"]),
  why: z.string(),
});

const line = z.union([begin, sent, acked, failed]);
export type LoadLine = z.infer<typeof line>;
export type SentLine = z.infer<typeof sent>;
export type AckedLine = z.infer<typeof acked>;
export type { IdRun };

export interface LoadLog {
  /** The line is with the operating system when this returns, so a killed load loses none. */
  write(entry: LoadLine): void;
  close(): void;
}

/** Begins the log anew: one file, one load. Without a file nothing is kept. */
export function createLoadLog(file: string | undefined): LoadLog {
  if (file === undefined) return { write: () => {}, close: () => {} };
  const handle = openForWriting(file);
  return {
    write: (entry) => void writeSync(handle, `${JSON.stringify(entry)}\n`),
    close: () => closeSync(handle),
  };
}

function openForWriting(file: string): number {
  try {
    return openSync(file, "w", 0o600);
  } catch (error) {
    throw new MisuseError(`${file} cannot be written: ${error instanceof Error ? error.message : error}`);
  }
}

/** Reads a log line by line. A last line cut off by a kill is passed over; any other fault is told. */
export async function* readLoadLog(file: string): AsyncGenerator<LoadLine> {
  if (!existsSync(file)) throw new MisuseError(`${file} is not there`);
  let number = 0;
  let broken: number | undefined;
  for await (const text of createInterface({
    input: createReadStream(file),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    if (broken !== undefined)
      throw new MisuseError(`${file}, line ${broken}: this is no line of a load's log`);
    number += 1;
    const read = readLine(text);
    if (read === undefined) broken = number;
    else yield read;
  }
  if (number === 0 || broken === 1) throw new MisuseError(`${file} is no log of a load`);
}

function readLine(text: string): LoadLine | undefined {
  try {
    const parsed = line.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}
