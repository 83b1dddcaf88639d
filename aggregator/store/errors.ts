// What an error of the store means to who gets it: try again, look at the content, or give up.

/** SQLSTATE of a server's error, or the code of postgres.js or the system. */
export function errorCode(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
}

/** Connections that ended, or never began. Whether a transaction on one was committed is then unknown. */
const connectionCodes = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_ENDED",
  "CONNECTION_DESTROYED",
  "CONNECT_TIMEOUT",
  "DEADLINE",
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ERR_SOCKET_CLOSED",
]);

/** The connection is gone, or its server is about to close it: the transaction is over either way. */
export function isLost(error: unknown): boolean {
  const code = errorCode(error);
  return connectionCodes.has(code) || /^(08|57P0[125])/.test(code);
}

/** The store is away: starting (57P03), ending (57P01, 57P02), full (53xxx), or not to be reached. */
export function isAway(error: unknown): boolean {
  return isLost(error) || /^(53|57P03)/.test(errorCode(error));
}

/** Two transactions met (40001, 40P01), a lock or a statement took too long: the same may pass next time. */
export function isPassing(error: unknown): boolean {
  return /^(40001|40P01|55P03|57014)$/.test(errorCode(error));
}

/** The server refuses what was sent: 22 data, 23 constraints other than unique keys, 54 limits. */
export function isRefusal(error: unknown): boolean {
  const code = errorCode(error);
  return /^(22|23|54)/.test(code) && code !== "23505";
}

/** An error's text as it may be logged: the server's own words, never a row's content or a parameter. */
export function errorText(error: unknown): string {
  const code = errorCode(error);
  const text = error instanceof Error ? error.message : "an unknown error";
  return code === "" ? text : `${code} ${text}`;
}

/** An answer that did not come in time; counted as a lost connection. */
export class DeadlineError extends Error {
  readonly code = "DEADLINE";
  constructor(what: string, ms: number) {
    super(`${what} gave no answer within ${ms} ms`);
    this.name = "DeadlineError";
  }
}

/** Waits for `work` at most `ms`; `work` itself goes on, so the caller ends its session. */
export async function withDeadline<T>(what: string, ms: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(what, ms)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
