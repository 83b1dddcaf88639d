// The edge on Cloudflare Workers. Requests share no batch: one that ends early would take the others with it.
import { plainHash } from "../../shared/event/sha256.ts";
import { createLogger } from "../../shared/telemetry/logger.ts";
import { durableObjectBuffer, type ObjectNamespace } from "../buffer/durable-object.ts";
import { readAgent } from "../device.ts";
import { createHosted, type HostedEdge } from "../hosted.ts";
import type { ReadClient } from "../proxies.ts";

export { WeirBuffer } from "./durable-object.ts";

/** In plain arithmetic: cheaper than WebCrypto's promises here too. */
export const hash = plainHash;

// Cloudflare alone stands before a Worker, so its word is taken and no proxy's.
const reader = (): ReadClient => (headers, sender) => ({
  ip: sender,
  ...readAgent(headers.get("user-agent")),
});
const logger = createLogger({ process: "edge" });
let hosted: HostedEdge | undefined;
const edgeOf = (env: Environment): HostedEdge => {
  const { BUFFER: namespace } = env;
  const buffer =
    namespace === undefined
      ? undefined
      : (objects: number) => durableObjectBuffer(namespace as ObjectNamespace, objects);
  hosted ??= createHosted({ settings: () => env, hash, logger, reader, groupCommit: false, buffer });
  return hosted;
};

export default {
  fetch(request: WorkerRequest, env: Environment, context: WorkerContext): Promise<Response> {
    const sender = request.headers.get("cf-connecting-ip") ?? undefined;
    const waitUntil = (work: Promise<unknown>) => context.waitUntil(work);
    const answer = edgeOf(env).fetch(request, { sender, facts: placeOf(request.cf), waitUntil });
    // What was begun ends, also where the client does not wait for it.
    waitUntil(answer.then(() => passOver(request)));
    return answer;
  },
  /** A canary each time the Worker's cron says so. */
  scheduled: (_: unknown, env: Environment): Promise<void> => edgeOf(env).canary(),
};

// A body that was refused unread is let through all the same: its sender would see the connection end, and not
// the answer, were it still sending.
async function passOver({ body, bodyUsed }: Request): Promise<void> {
  if (body !== null && !bodyUsed) await body.pipeTo(new WritableStream()).catch(() => undefined);
}

type Environment = Readonly<Record<string, unknown>>;
type WorkerRequest = Request & { cf?: { country?: string; city?: string } };

interface WorkerContext {
  waitUntil(work: Promise<unknown>): void;
}

// Cloudflare says XX for unknown and T1 for Tor.
function placeOf({ country, city }: NonNullable<WorkerRequest["cf"]> = {}) {
  const isCountry = country !== undefined && /^[A-Z]{2}$/.test(country) && country !== "XX";
  return { ...(isCountry && { country }), ...(city !== undefined && { city }) };
}
