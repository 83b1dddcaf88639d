// The one msgpack codec of the pipeline: plain msgpack, no records extension, so that any language reads it.
import { Packr } from "msgpackr";

const codec = new Packr({ useRecords: false, mapsAsObjects: true, variableMapSize: true });

/** Packs a value; the bytes are its own and stay valid. */
export const pack = (value: unknown): Uint8Array => codec.pack(value);

/** Unpacks one value; binary members are views into `bytes`. Throws on anything broken or left over. */
export const unpack = (bytes: Uint8Array): unknown => codec.unpack(bytes);
