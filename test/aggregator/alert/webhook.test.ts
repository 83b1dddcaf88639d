// The webhook over the embedded store, and single attempts, which need none.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sendWebhook, type Webhook } from "../../../aggregator/alert/webhook.ts";
import { systemClock } from "../../../shared/clock.ts";
import { type FilledStore, filledStore } from "../read/filled-store.ts";
import { listen, webhookSuite } from "./webhook-suite.ts";

describe("the webhook", () => {
  let filled: FilledStore;
  beforeAll(async () => {
    filled = await filledStore();
  }, 180_000);
  afterAll(() => filled?.close());

  webhookSuite(() => filled.store);
});

describe("an attempt", () => {
  const send = (webhook: Webhook) => sendWebhook(webhook, "an-id", "{}", systemClock);

  it("ends where nobody answers", async () => {
    const stuck = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      idleTimeout: 60,
      fetch: () => new Promise<Response>(() => {}),
    });
    const sent = await sendWebhook({ url: `${stuck.url.origin}/secret` }, "an-id", "{}", systemClock, 300);
    await stuck.stop(true);
    expect(sent).toEqual({ outcome: "failed", fault: "timeout", retryAfterMs: 0 });
  });

  it("says nothing of the address where nobody listens", async () => {
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("") });
    const url = `${server.url.origin}/secret`;
    await server.stop(true);
    expect(await send({ url })).toEqual({ outcome: "failed", fault: "unreachable", retryAfterMs: 0 });
  });

  it("reads no answer, however long it is", async () => {
    let sent = 0;
    const chatty = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () =>
        new Response(
          new ReadableStream({
            pull(controller) {
              sent += 65_536;
              controller.enqueue(new Uint8Array(65_536));
            },
          }),
        ),
    });
    expect(await send({ url: chatty.url.href })).toEqual({ outcome: "delivered" });
    await chatty.stop(true);
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });

  it("is not signed without a secret", async () => {
    const there = listen();
    await send({ url: there.url });
    await there.stop();
    expect(there.got[0]!.headers.has("webhook-signature")).toBe(false);
    expect(there.got[0]!.headers.get("webhook-id")).toBe("an-id");
  });
});
