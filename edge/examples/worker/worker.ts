// A site's own Worker that counts on the server's side: a page view a request, to the Weir edge beside it. The
// visitor waits for none of it.
interface Environment {
  /** The edge, bound as a service, or reached by its address. */
  EDGE?: { fetch(request: Request): Promise<Response> };
  WEIR_URL: string;
  WEIR_WRITE_KEY: string;
}

export default {
  async fetch(
    request: Request,
    env: Environment,
    context: { waitUntil(work: Promise<unknown>): void },
  ): Promise<Response> {
    context.waitUntil(count(request, env));
    return new Response("<h1>Hello</h1>", { headers: { "content-type": "text/html; charset=utf-8" } });
  },
};

// The id is made once and goes with every try, so that a try whose answer was lost counts once.
async function count(request: Request, env: Environment): Promise<void> {
  const { pathname } = new URL(request.url);
  const event = {
    event_id: crypto.randomUUID(),
    type: "page_view",
    timestamp: Date.now(),
    anonymous_id: request.headers.get("cf-ray") ?? crypto.randomUUID(),
    payload: { path: pathname },
  };
  for (let attempt = 1; attempt <= 5; attempt += 1) {
    const sent = new Request(`${env.WEIR_URL}/v1/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${env.WEIR_WRITE_KEY}`, "content-type": "application/json" },
      body: JSON.stringify([event]),
    });
    const answer = await (env.EDGE ?? globalThis).fetch(sent).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer !== undefined && answer.status < 500 && answer.status !== 429) return;
    await new Promise((resolve) => setTimeout(resolve, 200 * 2 ** attempt));
  }
}
