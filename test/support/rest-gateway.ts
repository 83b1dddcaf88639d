// Upstash's REST protocol in front of a real Redis: POST / takes one command, POST /pipeline several.

export interface RestGateway {
  /** With the token as its password, as the https: claims want it. */
  url: string;
  stop(): Promise<void>;
}

/** Serves `redisUrl` on loopback; a request without the bearer `token` is refused as Upstash does. */
export async function startRestGateway(redisUrl: string, token: string): Promise<RestGateway> {
  const redis = new Bun.RedisClient(redisUrl);
  await redis.connect();
  const answer = async (command: unknown): Promise<{ result: unknown } | { error: string }> => {
    if (!Array.isArray(command) || command.length === 0) return { error: "ERR empty command" };
    const [name, ...parameters] = command.map(String);
    try {
      return { result: flat(await redis.send(name!, parameters)) };
    } catch (error) {
      return { error: error instanceof Error ? error.message : String(error) };
    }
  };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      if (request.headers.get("authorization") !== `Bearer ${token}`) {
        return Response.json({ error: "Unauthorized" }, { status: 401 });
      }
      const body: unknown = await request.json().catch(() => undefined);
      if (new URL(request.url).pathname === "/pipeline") {
        return Response.json(Array.isArray(body) ? await Promise.all(body.map(answer)) : []);
      }
      const answered = await answer(body);
      return Response.json(answered, { status: "error" in answered ? 400 : 200 });
    },
  });
  return {
    url: `http://:${token}@127.0.0.1:${server.port}`,
    async stop() {
      await server.stop(true);
      redis.close();
    },
  };
}

// Redis answers a map here, where the protocol of old has a flat list.
function flat(result: unknown): unknown {
  if (typeof result !== "object" || result === null || Array.isArray(result)) return result;
  return Object.entries(result).flat();
}
