// The logger port: JSON lines about state changes and errors, never an event's body or a person's identity.

/** `code` is what an operator searches for; `fields` hold ids and numbers, never a secret. */
export interface Logger {
  info(code: string, fields?: Readonly<Record<string, unknown>>): void;
  /** The same code is written at most once in 10 s; what was held back is counted in the next line. */
  error(code: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Says nothing. */
export const silentLogger: Logger = { info: () => {}, error: () => {} };
