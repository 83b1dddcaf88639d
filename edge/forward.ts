// Forward: the hop to a collector over HTTP. A batch keeps its id however often it is sent.
import type { Clock } from "../shared/clock.ts";
import { forwardAttemptsMax, forwardBudgetMs, forwardDeadlineMs } from "../shared/limits.ts";
import type { Logger } from "../shared/logger.ts";
import { type ProblemCode, problems, WeirError } from "../shared/problem.ts";
import { backoffMs } from "../shared/retry.ts";
import { type BatchAnswer, type CollectorPort, packBatch } from "../shared/wire/batch.ts";
import { unpack } from "../shared/wire/msgpack.ts";
import { type Signer, signatureHeader } from "../shared/wire/signature.ts";

export interface HttpCollectorDeps {
  /** The collector's base URL. */
  url: string;
  signer: Signer;
  clock: Clock;
  logger: Logger;
  /** The runtime's own where none is given. */
  fetch?: typeof fetch | undefined;
  /** How often one batch is tried and how long a try may take; less where a buffer stands behind. */
  patience?: { attemptsMax: number; deadlineMs: number } | undefined;
}

// Whoever asks whether this edge is ready waits for the answer.
const readyDeadlineMs = 2_000;
const policy = { attemptsMax: forwardAttemptsMax, baseMs: 100, waitMsMax: 2_000 };

/** A collector behind HTTP: signs every attempt anew, and repeats what may succeed within its budget. */
export function httpCollector(deps: HttpCollectorDeps): CollectorPort {
  const { clock, logger } = deps;
  const base = deps.url.replace(/\/+$/, "");
  const request = deps.fetch ?? fetch;
  const { attemptsMax = forwardAttemptsMax, deadlineMs = forwardDeadlineMs } = deps.patience ?? {};

  return {
    async send(batch) {
      const body = packBatch(batch);
      const giveUpAt = clock.now() + forwardBudgetMs;
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await post(body, Math.min(deadlineMs, giveUpAt - clock.now()));
        } catch (cause) {
          const error = asWeirError(cause);
          const waitMs = backoffMs(policy, attempt + 1, clock, serverWaitMs(cause));
          const isFinal =
            attempt >= attemptsMax || !problems[error.code][2] || error.code === "quota_exceeded";
          if (isFinal || clock.now() + waitMs >= giveUpAt) throw asClientSees(error, logger);
          await clock.sleep(waitMs);
        }
      }
    },
    async ready() {
      const isReady = await within(readyDeadlineMs, async (signal) => {
        const response = await request(`${base}/readyz`, { signal });
        await response.arrayBuffer();
        return response.ok;
      });
      if (!isReady) throw new WeirError("not_ready", "The collector is not ready.");
    },
    async close() {},
  };

  async function post(body: Uint8Array, deadlineMs: number): Promise<BatchAnswer> {
    const signature = await deps.signer.sign(body, clock.now());
    return within(deadlineMs, async (signal) => {
      const response = await request(`${base}/v1/batches`, {
        method: "POST",
        headers: { "content-type": "application/msgpack", [signatureHeader]: signature },
        body: body as Uint8Array<ArrayBuffer>,
        signal,
      });
      const answer = new Uint8Array(await response.arrayBuffer());
      if (response.status !== 200) throw refusal(response, answer);
      return readAnswer(answer);
    });
  }

  // Reaching nobody, and hearing nothing in time, are one to the client: nobody durable has the batch.
  async function within<T>(deadlineMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const deadline = new AbortController();
    const done = new AbortController();
    const late = clock.sleep(deadlineMs, done.signal).then(() => {
      deadline.abort();
      throw new WeirError("log_unavailable", "The collector did not answer in time.");
    });
    late.catch(() => undefined);
    try {
      return await Promise.race([work(deadline.signal), late]);
    } catch (cause) {
      if (cause instanceof WeirError) throw cause;
      throw new WeirError("log_unavailable", "The collector cannot be reached.", { cause });
    } finally {
      // With a reason of its own: else an error is made, stack and all, which nobody reads.
      done.abort(null);
    }
  }
}

function readAnswer(bytes: Uint8Array): BatchAnswer {
  let answer: unknown;
  try {
    answer = unpack(bytes);
  } catch {
    answer = undefined;
  }
  const [batchId, outcomes, spooled] = Array.isArray(answer) ? answer : [];
  if (batchId instanceof Uint8Array && outcomes instanceof Uint8Array) {
    return spooled === true ? { batchId, outcomes, spooled } : { batchId, outcomes };
  }
  throw new WeirError("log_unavailable", "The collector's answer cannot be read.");
}

/** A refusal with what the server itself said about when to come back. */
class CollectorRefusal extends WeirError {
  readonly serverWaitMs: number;
  constructor(code: ProblemCode, detail: string, serverWaitMs: number) {
    super(code, detail, serverWaitMs > 0 ? { retryAfterMs: serverWaitMs } : {});
    this.serverWaitMs = serverWaitMs;
  }
}

const serverWaitMs = (error: unknown): number => (error instanceof CollectorRefusal ? error.serverWaitMs : 0);

function refusal(response: Response, body: Uint8Array): CollectorRefusal {
  const seconds = Number(response.headers.get("retry-after"));
  const waitMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
  let code: unknown;
  try {
    code = (JSON.parse(new TextDecoder().decode(body)) as { code?: unknown }).code;
  } catch {
    code = undefined;
  }
  if (typeof code === "string" && Object.hasOwn(problems, code)) {
    return new CollectorRefusal(code as ProblemCode, problems[code as ProblemCode][1], waitMs);
  }
  // No problem of ours: something in between answered. Only what it calls temporary is tried again.
  const isTemporary = response.status >= 500 || response.status === 429;
  const detail = `The collector's address answered ${response.status}.`;
  return new CollectorRefusal(isTemporary ? "log_unavailable" : "not_found", detail, waitMs);
}

const asWeirError = (error: unknown): WeirError =>
  error instanceof WeirError ? error : new WeirError("internal", "Forwarding failed.", { cause: error });

// What stands between edge and collector is not the client's doing: it may come back once that is mended.
function asClientSees(error: WeirError, logger: Logger): WeirError {
  if (error.code === "quota_exceeded") return error;
  logger.error("forward_failed", { reason: error.code, detail: error.message });
  if (problems[error.code][0] === 503 || error.code === "record_too_large") return error;
  return new WeirError("not_ready", "The collector does not take this edge's batches.", { cause: error });
}
