// The answer where no route takes a request: nothing is there, or it takes other methods (RFC 9110, 15.5.6).
import type { Env, Hono } from "hono";
import { problemResponse, problems, WeirError } from "../problem.ts";

type Routed<E extends Env> = Pick<Hono<E>, "router" | "routes">;

/** Methods of the routes that a path matches; what was added for all methods only looks at a request. */
export function methodsOf<E extends Env>({ router, routes }: Routed<E>, path: string): string[] {
  const named = new Set(routes.map(({ method }) => method));
  named.delete("ALL");
  return [...named].filter((method) =>
    router.match(method, path)[0].some(([[, route]]) => route.method === method),
  );
}

export function unrouted<E extends Env>(app: Routed<E>, path: string): Response {
  // Whoever answers GET answers HEAD.
  const allow = methodsOf(app, path).join().replace("GET", "GET,HEAD");
  const code = allow ? "method_not_allowed" : "not_found";
  const response = problemResponse(new WeirError(code, problems[code][1]));
  if (allow) response.headers.set("allow", allow);
  return response;
}
