// The product a client came from, behind this edge: asked for what Weir does not serve, and sent copies of what it took.
import type { Meter } from "../shared/meter.ts";
import { problemResponse, WeirError } from "../shared/problem.ts";
import type { ClientFacts } from "./client.ts";
import type { Asked } from "./dialect/door.ts";

export interface UpstreamDeps {
  /** Base URL; nothing is ever sent anywhere else, and no redirect is followed. */
  url: string;
  /** Names it in the metrics. */
  name: "segment" | "posthog";
  meter: Meter;
  /** The runtime's own where none is given. */
  fetch?: typeof fetch | undefined;
}

export interface Upstream {
  /** Hands a request on as it came and its answer back. Never rejects: 503 where there is no answer. */
  pass(request: Request, client: ClientFacts | undefined): Promise<Response>;
  /** Sends a copy of what was taken, once. Never rejects; what fails, or has no room to wait, is counted. */
  copy(asked: Asked): Promise<void>;
}

/** A recording of a session is the largest thing a client hands over, some 1 MB packed. */
const passedBytesMax: number = 4 * 1024 * 1024;
/** Times that: 128 MiB at most. */
const passingMax = 32;
const deadlineMs = 10_000;
/** Copies under way at once, and what may wait for them. */
const copyingMax = 8;
const waitingMax = 256;
const waitingBytesMax: number = 16 * 1024 * 1024;

export function createUpstream(deps: UpstreamDeps): Upstream {
  const { name, meter } = deps;
  const base = deps.url.replace(/\/+$/, "");
  const ask = deps.fetch ?? fetch;
  const waiting: (() => void)[] = [];
  let passing = 0;
  let copying = 0;
  let waitingBytes = 0;
  const count = (code: string): void =>
    meter.count("weir.edge.copies", 1, { "weir.client": name, "weir.code": code });

  return {
    async pass(request, client) {
      if (passing >= passingMax)
        return problemResponse(new WeirError("overloaded", "Too much is handed on."));
      passing += 1;
      try {
        const body = request.method === "GET" ? undefined : await gather(request);
        const headers = headersFor(request.headers, client);
        const answer = await send(new URL(request.url), { method: request.method, headers, body });
        return new Response(answer.body, { status: answer.status, headers: headersBack(answer.headers) });
      } catch (error) {
        const known = error instanceof WeirError;
        return problemResponse(known ? error : new WeirError("not_ready", `${name} does not answer.`));
      } finally {
        passing -= 1;
      }
    },
    async copy({ request, url, body, client }) {
      if (waiting.length >= waitingMax || waitingBytes + body.length > waitingBytesMax)
        return count("dropped");
      waitingBytes += body.length;
      try {
        if (copying >= copyingMax) await new Promise<void>((resume) => waiting.push(resume));
        copying += 1;
        const headers = headersFor(request.headers, client);
        // It was unpacked here, so it goes on unpacked, and says so.
        headers.delete("content-encoding");
        const to = new URL(url);
        if (to.searchParams.get("compression")?.startsWith("gzip")) to.searchParams.delete("compression");
        const answer = await send(to, {
          method: request.method,
          headers,
          body: body.length === 0 ? undefined : body,
        });
        await answer.body?.cancel();
        count(answer.ok ? "ok" : "refused");
      } catch {
        count("failed");
      } finally {
        copying -= 1;
        waitingBytes -= body.length;
        waiting.shift()?.();
      }
    },
  };

  function send(url: URL, init: { method: string; headers: Headers; body: Uint8Array | undefined }) {
    const { method, headers, body } = init;
    return ask(`${assetsOf(base, url.pathname)}${url.pathname}${url.search}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> }),
      redirect: "manual",
      signal: AbortSignal.timeout(deadlineMs),
    });
  }
}

// PostHog's cloud serves scripts and their settings from hosts of their own.
const assetsOf = (base: string, path: string): string =>
  /^\/(static|array)\//.test(path)
    ? base.replace(/^(https:\/\/(?:us|eu))(\.i\.posthog\.com)$/, "$1-assets$2")
    : base;

async function gather(request: Request): Promise<Uint8Array> {
  const tooLarge = new WeirError("body_too_large", `At most ${passedBytesMax} bytes are handed on.`);
  if (Number(request.headers.get("content-length") ?? 0) > passedBytesMax) throw tooLarge;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > passedBytesMax) throw tooLarge;
    chunks.push(chunk);
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

// Of one hop only (RFC 9110, 7.6.1), or of this host's dealings with its own visitors: cookies are never shown.
const ofOneHop = [
  ...["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection"],
  ...["te", "trailer", "transfer-encoding", "upgrade", "content-length"],
];
const notForward = [...ofOneHop, "host", "cookie", "accept-encoding", "expect", "forwarded", "x-real-ip"];
const notBack = [...ofOneHop, "content-encoding", "set-cookie", "alt-svc", "strict-transport-security"];

function headersFor(given: Headers, client: ClientFacts | undefined): Headers {
  const headers = without(given, notForward);
  // As any proxy does it, and by what is known here, not by what a client claims.
  headers.delete("x-forwarded-for");
  if (client?.ip !== undefined) headers.set("x-forwarded-for", client.ip);
  return headers;
}

// Which pages may read the answer is for this edge to say.
function headersBack(given: Headers): Headers {
  const headers = without(given, notBack);
  for (const name of [...headers.keys()]) if (name.startsWith("access-control-")) headers.delete(name);
  return headers;
}

function without(given: Headers, names: readonly string[]): Headers {
  const headers = new Headers(given);
  const listed = (given.get("connection") ?? "").split(",").map((name) => name.trim().toLowerCase());
  for (const name of [...names, ...listed]) if (/^[\w-]+$/.test(name)) headers.delete(name);
  return headers;
}
