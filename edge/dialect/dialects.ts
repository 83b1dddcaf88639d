// The client formats by name, for events that come back without the path they came by.
import type { Dialect } from "./dialect.ts";
import { growthEvent } from "./growth-event.ts";
import { native } from "./native.ts";

const dialects: readonly Dialect[] = [native, growthEvent];

/** The dialect of a name; what has none that is known is taken as our own format. */
export const dialectNamed = (name: string): Dialect =>
  dialects.find((dialect) => dialect.name === name) ?? native;
