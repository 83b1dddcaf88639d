// PostgreSQL's binary COPY format, written into one growing buffer. Source: the manual of COPY, "Binary Format".
import { type Decimal, parseDecimal } from "./decimal.ts";

const signature = Buffer.from("PGCOPY\n\xff\r\n\0", "latin1");
/** The signature, no flags, no header extension. */
export const copyHeader: Buffer = Buffer.concat([signature, Buffer.alloc(8)]);
/** A field count of −1 ends the data. */
export const copyTrailer: Buffer = Buffer.from([0xff, 0xff]);

/** PostgreSQL counts microseconds from 2000-01-01, Unix milliseconds from 1970-01-01. */
const epochMs = 946_684_800_000;
const twoTo32 = 4_294_967_296;
/** Below this many characters a loop over them is faster than a call into the runtime. */
const shortText = 48;

/** Fields of rows, one after another. Every `put` grows the buffer as needed and writes one field. */
export class CopyBytes {
  bytes: Buffer;
  at = 0;
  /** Where the field begins that the row's writer wants found again. */
  mark = 0;

  constructor(size = 64 * 1024) {
    this.bytes = Buffer.allocUnsafe(size);
  }

  row(fields: number): void {
    this.fit(2);
    this.short(fields);
  }

  null(): void {
    this.fit(4);
    this.uint32(0xffff_ffff);
  }

  /** `length` bytes of `source` as uuid, bytea, text or any type whose binary form they are. */
  raw(source: Uint8Array, from: number, length: number): void {
    this.fit(4 + length);
    this.uint32(length);
    this.append(source, from, length);
  }

  /** The UTF-8 bytes of a JSON text as jsonb. */
  rawJsonb(source: Uint8Array, from: number, length: number): void {
    this.fit(5 + length);
    this.uint32(length + 1);
    this.bytes[this.at++] = 1;
    this.append(source, from, length);
  }

  int2(value: number): void {
    this.fit(6);
    this.uint32(2);
    this.short(value);
  }

  /** Throws a RangeError on what is no 32-bit integer. */
  int4(value: number): void {
    if ((value | 0) !== value) throw new RangeError("not a 32-bit integer");
    this.fit(8);
    this.uint32(4);
    this.uint32(value >>> 0);
  }

  /** A safe integer as bigint; throws a RangeError on anything else. */
  int8(value: number | null): void {
    if (value === null) {
      this.null();
      return;
    }
    if (!Number.isSafeInteger(value)) throw new RangeError("not a safe integer");
    this.fit(12);
    this.uint32(8);
    const high = Math.floor(value / twoTo32);
    this.uint32(high >>> 0);
    this.uint32((value - high * twoTo32) >>> 0);
  }

  /** Epoch milliseconds as timestamptz. */
  time(epochMilliseconds: number | null): void {
    if (epochMilliseconds === null) {
      this.null();
      return;
    }
    if (!Number.isSafeInteger(epochMilliseconds)) throw new RangeError("not a time in whole milliseconds");
    this.fit(12);
    this.uint32(8);
    // ms × 1000 may pass 2^53, so the two halves are made apart: ms = high × 2^32 + low.
    const ms = epochMilliseconds - epochMs;
    const msHigh = Math.floor(ms / twoTo32);
    const low = (ms - msHigh * twoTo32) * 1000;
    const carry = Math.floor(low / twoTo32);
    this.uint32((msHigh * 1000 + carry) >>> 0);
    this.uint32((low - carry * twoTo32) >>> 0);
  }

  /** UTF-8; a lone surrogate is written as U+FFFD. */
  text(value: string | null): void {
    if (value === null) {
      this.null();
      return;
    }
    this.fit(4 + 3 * value.length);
    const start = this.at;
    this.at += 4;
    this.utf8(value);
    this.length(start);
  }

  /** A JSON text as jsonb (version 1); PostgreSQL parses it. */
  jsonb(value: string): void {
    this.fit(5 + 3 * value.length);
    const start = this.at;
    this.at += 4;
    this.bytes[this.at++] = 1;
    this.utf8(value);
    this.length(start);
  }

  /** A decimal text as numeric, exactly; throws a RangeError on what is none or beyond PostgreSQL's. */
  numeric(value: string | null): void {
    if (value === null) this.null();
    else this.decimal(parseDecimal(value));
  }

  private decimal(value: Decimal): void {
    const { digits, weight, scale, isNegative } = value;
    this.fit(12 + 2 * digits.length);
    this.uint32(8 + 2 * digits.length);
    this.short(digits.length);
    this.short(weight);
    this.short(isNegative ? 0x4000 : 0);
    this.short(scale);
    for (let index = 0; index < digits.length; index += 1) this.short(digits[index]!);
  }

  private short(value: number): void {
    this.bytes[this.at++] = value >> 8;
    this.bytes[this.at++] = value;
  }

  private utf8(value: string): void {
    const { bytes } = this;
    let { at } = this;
    const { length } = value;
    if (length <= shortText) {
      let index = 0;
      for (; index < length; index += 1) {
        const code = value.charCodeAt(index);
        if (code > 0x7f) break;
        bytes[at++] = code;
      }
      if (index === length) {
        this.at = at;
        return;
      }
      at = this.at;
    }
    this.at = at + bytes.write(value, at, "utf8");
  }

  private append(source: Uint8Array, from: number, length: number): void {
    const { bytes, at } = this;
    if (length <= shortText) {
      for (let index = 0; index < length; index += 1) bytes[at + index] = source[from + index]!;
    } else bytes.set(source.subarray(from, from + length), at);
    this.at = at + length;
  }

  private length(start: number): void {
    const end = this.at;
    this.at = start;
    this.uint32(end - start - 4);
    this.at = end;
  }

  private uint32(value: number): void {
    const { bytes, at } = this;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
    this.at = at + 4;
  }

  private fit(more: number): void {
    if (this.at + more <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + more));
    grown.set(this.bytes.subarray(0, this.at));
    this.bytes = grown;
  }
}
