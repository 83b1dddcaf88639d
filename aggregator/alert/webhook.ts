// Tells a webhook of one transition: signed as Standard Webhooks has it, bounded in time, and never redirected.
import { createHmac } from "node:crypto";
import type { Clock } from "../../shared/clock.ts";

/** Where to and with what key; neither is ever shown, since the address of some is their only secret. */
export interface Webhook {
  url: string;
  /** `whsec_` and base64; without one nothing is signed. */
  secret?: string | undefined;
}

/** What became of one attempt; `fault` is a word that may be shown. */
export type Sent =
  | { outcome: "delivered" }
  /** 410: whoever was there wants nothing any more. */
  | { outcome: "gone"; fault: string }
  | { outcome: "failed"; fault: string; retryAfterMs: number };

const answerMs = 10_000;
/** A Retry-After beyond this is not waited for. */
const retryAfterMsMax = 3_600_000;

/** Sends a body under its id, which is the same in each attempt. Never rejects. */
export async function sendWebhook(
  webhook: Webhook,
  id: string,
  body: string,
  clock: Clock,
  waitMs = answerMs,
): Promise<Sent> {
  const seconds = String(Math.floor(clock.now() / 1000));
  const headers: Record<string, string> = {
    "content-type": "application/json",
    "user-agent": "weir",
    "webhook-id": id,
    "webhook-timestamp": seconds,
  };
  if (webhook.secret !== undefined) headers["webhook-signature"] = sign(webhook.secret, id, seconds, body);
  let response: Response;
  try {
    response = await fetch(webhook.url, {
      method: "POST",
      headers,
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(waitMs),
    });
  } catch (error) {
    const isLate = error instanceof Error && error.name === "TimeoutError";
    return { outcome: "failed", fault: isLate ? "timeout" : "unreachable", retryAfterMs: 0 };
  }
  // What it answers is nobody's to read, however long it is.
  void response.body?.cancel().catch(() => {});
  if (response.ok) return { outcome: "delivered" };
  const fault = `status ${response.status}`;
  if (response.status === 410) return { outcome: "gone", fault };
  const asked = Number(response.headers.get("retry-after") ?? 0) * 1000;
  const retryAfterMs = asked > 0 ? Math.min(asked, retryAfterMsMax) : 0;
  return { outcome: "failed", fault, retryAfterMs };
}

function sign(secret: string, id: string, seconds: string, body: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  return `v1,${createHmac("sha256", key).update(`${id}.${seconds}.${body}`).digest("base64")}`;
}
