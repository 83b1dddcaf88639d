// Sends one request until it is acknowledged, refused for good, or given up.
import type { Clock } from "../../../shared/clock.ts";
import { MisuseError } from "../../../shared/command.ts";
import { backoffMs, type RetryPolicy } from "../../../shared/retry.ts";
import type { AckedLine, LoadLog } from "./load-log.ts";

export interface SendOptions {
  url: string;
  key: string;
  /** No attempt begins later than this after the first, in ms. */
  giveUpMs: number;
  clock: Clock;
}

/** How a request ended. `attempts` counts every one made. */
export type Sending = { attempts: number; answer: AckedLine | undefined };

const requestMs = 30_000;
const backoff: RetryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, baseMs: 100, waitMsMax: 5000 };

type Attempt =
  | { answer: Omit<AckedLine, "acked" | "attempt"> }
  | { fate: "not_received" | "unknown"; why: string; isFinal: boolean; retryAfterMs: number };

/**
 * Sends the same body again after a failure that may pass, waiting as the server asked. Rejects with a
 * MisuseError where the key or the address is wrong, which no patience mends.
 */
export async function sendRequest(
  number: number,
  body: string,
  log: LoadLog,
  options: SendOptions,
): Promise<Sending> {
  const { clock } = options;
  const giveUpAt = clock.now() + options.giveUpMs;
  for (let attempt = 1; ; attempt += 1) {
    if (attempt > 1) log.write({ sent: number, attempt });
    const result = await sendOnce(body, options);
    if ("answer" in result) {
      const answer = { acked: number, attempt, ...result.answer };
      log.write(answer);
      return { attempts: attempt, answer };
    }
    log.write({ failed: number, attempt, fate: result.fate, why: result.why });
    const waitMs = backoffMs(backoff, attempt + 1, clock, result.retryAfterMs);
    if (result.isFinal || clock.now() + waitMs > giveUpAt) return { attempts: attempt, answer: undefined };
    await clock.sleep(waitMs);
  }
}

async function sendOnce(body: string, options: SendOptions): Promise<Attempt> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(new URL("/v1/events", options.url), {
      method: "POST",
      headers: { authorization: `Bearer ${options.key}`, "content-type": "application/json" },
      body,
      signal: AbortSignal.timeout(requestMs),
    });
    text = await response.text();
  } catch (error) {
    // Only a connection that was never made is certain to have brought nothing.
    const code = String((error as { code?: unknown }).code ?? "");
    const fate = code === "ConnectionRefused" || code === "ECONNREFUSED" ? "not_received" : "unknown";
    return { fate, why: code === "" ? "no answer" : code, isFinal: false, retryAfterMs: 0 };
  }
  const { status } = response;
  const answer = readJson(text);
  if (status === 202) return readAnswer(answer);
  const code = String(answer.code ?? "");
  const why = `${status} ${code}`.trim();
  if (status === 401 || status === 403 || status === 404)
    throw new MisuseError(`the edge answered ${why}; look at --url and --key`);
  const isFinal = status < 500 && status !== 408 && status !== 429;
  const retryAfterMs = Number(response.headers.get("retry-after") ?? 0) * 1000 || 0;
  // Any other 4xx was refused as a whole before an event of it went on.
  return { fate: status < 500 ? "not_received" : "unknown", why, isFinal, retryAfterMs };
}

function readAnswer(answer: Answer): Attempt {
  const count = (value: unknown): number => (typeof value === "number" ? value : Number.NaN);
  const ids = answer.batch_ids ?? [answer.batch_id];
  const read = {
    batch_ids: Array.isArray(ids) ? ids.map(String) : [],
    received: count(answer.received),
    accepted: count(answer.accepted),
    duplicate: count(answer.duplicate),
    quarantined: count(answer.quarantined),
  };
  const isWhole = read.received === read.accepted + read.duplicate + read.quarantined;
  if (isWhole) return { answer: read };
  return { fate: "unknown", why: "202 with an answer that does not add up", isFinal: true, retryAfterMs: 0 };
}

/** What an edge may answer, as far as it is looked at. */
interface Answer {
  code?: unknown;
  batch_id?: unknown;
  batch_ids?: unknown;
  received?: unknown;
  accepted?: unknown;
  duplicate?: unknown;
  quarantined?: unknown;
}

function readJson(text: string): Answer {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Answer) : {};
  } catch {
    return {};
  }
}
