// Which pages may read an answer (CORS): any may ask, and who may send is the gate's to say.
import type { Context, MiddlewareHandler } from "hono";

/** `isForeign`: the page's origin is not among those its project names. */
export interface OriginVariables {
  isForeign?: boolean;
}

const exposed = "x-request-id,retry-after";
const preflightSeconds = "86400";

/**
 * Answers preflights, and lets pages read the answers. A preflight names no project, so any page may ask;
 * what it then sends is read by pages that may send it. Headers are echoed, for each client has its own.
 * `credentials`: the door's client sends cookies along.
 */
export function crossOrigin(credentials: boolean): MiddlewareHandler<{ Variables: OriginVariables }> {
  return async (context, next) => {
    const { headers, method } = context.req.raw;
    const origin = headers.get("origin");
    if (method === "OPTIONS") return preflight(headers, origin, credentials);
    await next();
    // Only what a cache may keep for somebody else has to say that the answer depends on who asks.
    if (origin === null && method === "POST") return undefined;
    const answer = context.res.headers;
    answer.append("vary", "Origin");
    if (origin === null) return undefined;
    if (!isForeign(context)) answer.set("access-control-allow-origin", origin);
    if (credentials) answer.set("access-control-allow-credentials", "true");
    answer.set("access-control-expose-headers", exposed);
    return undefined;
  };
}

const isForeign = (context: Context<{ Variables: OriginVariables }>): boolean =>
  context.get("isForeign") === true;

function preflight(asked: Headers, origin: string | null, credentials: boolean): Response {
  const headers = new Headers({
    "access-control-expose-headers": exposed,
    "access-control-max-age": preflightSeconds,
    "access-control-allow-methods": "GET,POST",
    vary: "Origin, Access-Control-Request-Headers",
  });
  if (origin !== null) headers.set("access-control-allow-origin", origin);
  if (credentials) headers.set("access-control-allow-credentials", "true");
  const wanted = asked.get("access-control-request-headers");
  if (wanted !== null) headers.set("access-control-allow-headers", wanted.replace(/\s+/g, ""));
  return new Response(null, { status: 204, headers });
}
