// Our own wire format.
import type { Dialect } from "./dialect.ts";

export const native: Dialect = {
  name: "native",
  toNative: (value) => value,
  nameOf: (field) => field,
  identity: "native",
};
