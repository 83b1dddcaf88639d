// What an edge is measured against on its own runtime: a handler that parses, and one that only passes on.

export type PlainPart = "parse" | "forward";

export function plainEdge(part: string, upstreamUrl: string, request: typeof fetch) {
  return {
    async fetch(asked: Request): Promise<Response> {
      if (asked.method !== "POST") return new Response("ok");
      if (part === "parse") {
        const { events } = (await asked.json()) as { events: unknown[] };
        return Response.json({ accepted: events.length }, { status: 202 });
      }
      const body = new Uint8Array(await asked.arrayBuffer());
      // A kept connection may have ended meanwhile, which an edge's own forwarding repeats for, too.
      const pass = () => request(`${upstreamUrl}/plain`, { method: "POST", body });
      const answer = await pass().catch(pass);
      return new Response(await answer.arrayBuffer(), { status: answer.status });
    },
  };
}
