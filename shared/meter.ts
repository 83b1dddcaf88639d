// The meter port: what a station may say about itself. Names and units stand in telemetry/catalogue.ts.

/** Attribute values; never anything unbounded such as an id or a path. */
export type Attributes = Readonly<Record<string, string>>;

/** Counts and measures; calls never fail and never wait. */
export interface Meter {
  /** Adds to a counter. */
  count(name: string, value: number, attributes?: Attributes): void;
  /** Records one duration, in seconds, or one size, in its catalogue's unit. */
  record(name: string, value: number, attributes?: Attributes): void;
  /** Sets a gauge to what is true now. */
  set(name: string, value: number, attributes?: Attributes): void;
}

/** Measures nothing. */
export const silentMeter: Meter = { count: () => {}, record: () => {}, set: () => {} };
