// A plain edge as a Worker.
import { plainEdge } from "./plain-edge.ts";

export default {
  fetch: (request: Request, env: { PART: string; UPSTREAM: string }): Promise<Response> =>
    plainEdge(env.PART, env.UPSTREAM, fetch).fetch(request),
};
