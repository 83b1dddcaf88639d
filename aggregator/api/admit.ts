// Lets requests below /v1 through by the role of who asks, and tells them who they are.
import type { Context, Hono, MiddlewareHandler } from "hono";
import { matchedRoutes } from "hono/route";
import { z } from "zod";
import type { Guard } from "./guard.ts";
import { type Access, type Asker, accessOf, checkRole, isPersonal, roles } from "./roles.ts";
import { whileAllowed } from "./while-allowed.ts";

declare module "hono" {
  interface ContextVariableMap {
    asker: Asker;
  }
}

/** How long a stream of answers goes on before it is asked again whether it may: of what is remembered, mostly. */
const streamMs = 1_000;

/** Every route added after this asks for the role that the table says. */
export function admit(app: Hono, guard: Guard): void {
  app.use("/v1/*", checkAccess(guard));
  app.get("/v1/me", (context) => context.json({ data: context.get("asker") }));
}

/** Who asks, as the audit names them. */
export function actorOf(context: Context): string {
  const { name } = context.get("asker");
  return name === null || name === "WEIR_API_TOKEN" ? "api" : `api ${name}`;
}

function checkAccess(guard: Guard): MiddlewareHandler {
  return async (context, next) => {
    const request = context.req.raw;
    const asker = await guard.whoAsks(request);
    const access = accessHere(context);
    // Read as the route will read them.
    const given = (parameter: string): readonly string[] => context.req.queries(parameter) ?? [];
    checkRole(asker, access, given);
    const showsPeople = isPersonal(access, given);
    if (asker.project !== null && access.scope === "own") {
      // Whatever answers sees a question that was asked of this project.
      const url = new URL(request.url);
      url.searchParams.set("project", asker.project);
      const { method, headers, signal } = request;
      context.req.raw = new Request(url, { method, headers, signal });
    }
    context.set("asker", asker);
    await next();
    // What tells of single people nobody keeps on the way.
    if (showsPeople) context.res.headers.set("cache-control", "no-store");
    const { body, headers } = context.res;
    if (body === null || headers.get("content-type")?.startsWith("text/event-stream") !== true) return;
    // Whoever asks for the headers alone never reads the stream to its end.
    if (request.method === "HEAD") await body.cancel();
    // An answer that does not end ends with the token.
    else
      context.res = new Response(
        whileAllowed(body, () => guard.whoAsks(request), streamMs),
        context.res,
      );
  };
}

// Of what the path matches, the first route answers; everything before is there for many.
function accessHere(context: Context): Access {
  const route = matchedRoutes(context).find(({ method }) => method !== "ALL");
  return accessOf(route?.method ?? "", route?.path ?? "");
}

/** How the description tells of /v1/me. */
export function describeMe(hasToken: boolean): Record<string, unknown> {
  const asker = z.object({
    role: z.enum(roles).describe("viewer: figures; analyst: people, too; admin: everything"),
    name: z.string().nullable().describe("The token's name; null where none was needed"),
    project: z.string().nullable().describe("The one project that is answered for; null: all of them"),
  });
  const { $schema: _, ...schema } = z.toJSONSchema(z.object({ data: asker }), { io: "output" });
  const problem = { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } };
  return {
    "/v1/me": {
      get: {
        operationId: "me",
        summary: "Who asks, and what they may",
        ...(hasToken ? { security: [{ token: [] }] } : {}),
        responses: {
          200: { description: "Who asks", content: { "application/json": { schema } } },
          default: { description: "Refused, or not possible now", content: problem },
        },
      },
    },
  };
}
