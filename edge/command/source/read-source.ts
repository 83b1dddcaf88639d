// Opens a file of events and reads it as a stream, whatever its format and packing.
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { MisuseError } from "../../../shared/command.ts";
import { splitCsv } from "./csv.ts";
import type { FieldMap } from "./csv-map.ts";
import { splitJson } from "./json.ts";
import { splitNdjson } from "./ndjson.ts";
import { DamagedFileError, type SourceEvent, type Splitter } from "./source-event.ts";
import { rewriteTimestamp, zoneReader } from "./zone.ts";

export const sourceFormats = ["ndjson", "json", "csv"] as const;
export type SourceFormat = (typeof sourceFormats)[number];

export interface SourceOptions {
  /** By the file's name where absent: .ndjson, .jsonl, .json, .csv, .tsv, with .gz after it or not. */
  format?: SourceFormat | undefined;
  map: FieldMap;
  delimiter?: string | undefined;
  /** IANA zone of times without offset. */
  zone?: string | undefined;
}

export interface Source {
  format: SourceFormat;
  /** Size on disk. */
  bytes: number;
  /** Bytes of it read so far. */
  bytesRead(): number;
  /** Events in the file's order, some at a time. Ends with a DamagedFileError where the file is broken. */
  events(): AsyncGenerator<SourceEvent[]>;
}

const chunkBytes = 256 * 1024;

/** Opens `file`. Throws a MisuseError where it cannot be read or its format is not to be told. */
export async function openSource(file: string, options: SourceOptions): Promise<Source> {
  const format = options.format ?? formatOf(file);
  const delimiter = options.delimiter ?? (/\.tsv(\.gz)?$/i.test(file) ? "\t" : ",");
  if (delimiter.length !== 1 || delimiter.charCodeAt(0) > 126 || delimiter === '"')
    throw new MisuseError("--delimiter takes one ASCII character");
  if (format !== "csv" && options.map.length > 0) throw new MisuseError("--map is for CSV");
  const { bytes, isGzip } = await look(file);
  const zoned = options.zone === undefined ? undefined : zoneReader(options.zone);
  const stream = createReadStream(file, { highWaterMark: chunkBytes });
  return {
    format,
    bytes,
    bytesRead: () => stream.bytesRead,
    events: () => readEvents(stream, isGzip, splitterOf(), format === "csv" ? undefined : zoned),
  };

  function splitterOf(): Splitter {
    if (format === "csv") return splitCsv({ delimiter, map: options.map, zoned: zoned ?? ((time) => time) });
    return format === "json" ? splitJson() : splitNdjson();
  }
}

async function* readEvents(
  stream: ReturnType<typeof createReadStream>,
  isGzip: boolean,
  splitter: Splitter,
  zoned: ((time: string) => string) | undefined,
): AsyncGenerator<SourceEvent[]> {
  const bytes = isGzip ? pipeline(stream, createGunzip({ chunkSize: chunkBytes }), () => {}) : stream;
  const finished = (events: SourceEvent[]): SourceEvent[] => {
    if (zoned !== undefined)
      for (const event of events)
        if (event.refusal === undefined) event.bytes = rewriteTimestamp(event.bytes, zoned);
    return events;
  };
  let isFirst = true;
  try {
    for await (const chunk of bytes as AsyncIterable<Uint8Array>) {
      const events = splitter.push(isFirst ? withoutMark(chunk) : chunk);
      isFirst = false;
      if (events.length > 0) yield finished(events);
    }
  } catch (error) {
    if (!isGzip || !isUnpackingError(error)) throw error;
    throw new DamagedFileError("the gzip stream is broken or cut off", [], { cause: error });
  } finally {
    stream.destroy();
  }
  yield finished(splitter.end());
}

async function look(file: string): Promise<{ bytes: number; isGzip: boolean }> {
  try {
    const handle = await open(file, "r");
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw new Error("it is no file");
      const head = new Uint8Array(2);
      await handle.read(head, 0, 2, 0);
      return { bytes: stat.size, isGzip: head[0] === 0x1f && head[1] === 0x8b };
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new MisuseError(`${file} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}

function formatOf(file: string): SourceFormat {
  const ending = /\.(\w+?)(?:\.gz)?$/i.exec(file)?.[1]?.toLowerCase();
  if (ending === "ndjson" || ending === "jsonl") return "ndjson";
  if (ending === "json") return "json";
  if (ending === "csv" || ending === "tsv") return "csv";
  throw new MisuseError(`${file} does not tell its format; say --format ${sourceFormats.join(", ")}`);
}

// U+FEFF in UTF-8, which spreadsheets write first.
function withoutMark(chunk: Uint8Array): Uint8Array {
  return chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf ? chunk.subarray(3) : chunk;
}

function isUnpackingError(error: unknown): boolean {
  const code = String((error as { code?: unknown }).code ?? "");
  return (
    code.startsWith("Z_") ||
    code.startsWith("ERR_ZLIB") ||
    /unexpected end of file|incorrect/.test(String(error))
  );
}
