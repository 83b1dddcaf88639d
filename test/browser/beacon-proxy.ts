// An HTTP proxy before the edge that fails the way a network and an overloaded server do.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { gunzipSync } from "node:zlib";

/** One request that came to /v1/events, or to /weir.js. */
export interface Seen {
  method: string;
  path: string;
  /** Epoch ms. */
  at: number;
  contentType: string;
  bytes: number;
  isPacked: boolean;
  sentAt: number;
  events: Record<string, unknown>[];
  /** What the client was answered; 0 where its socket was cut. */
  status: number;
}

/** `pass`; a status with headers; `cut` stores and cuts the answer off; `hold` never answers. */
export type Fault =
  | { kind: "pass" }
  | { kind: "status"; status: number; headers?: Record<string, string> }
  | { kind: "cut" }
  | { kind: "hold" };

export interface FaultProxy {
  readonly url: string;
  readonly seen: Seen[];
  /** What happens to the requests from now on. */
  fault: Fault;
  /** Nobody listens any more, until `up`. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** Events of all bodies the edge got. */
  passed(): number;
  close(): Promise<void>;
}

export async function openProxy(edgeUrl: string): Promise<FaultProxy> {
  const seen: Seen[] = [];
  let passed = 0;
  let port = 0;
  let server: Server | undefined;
  const proxy: FaultProxy = {
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    seen,
    fault: { kind: "pass" },
    async down() {
      const closing = server;
      server = undefined;
      if (closing === undefined) return;
      await new Promise<void>((resolve) => {
        closing.close(() => resolve());
        closing.closeAllConnections();
      });
    },
    async up() {
      const opening = createServer((request, response) => void answer(request, response));
      await new Promise<void>((resolve, reject) => {
        opening.once("error", reject);
        opening.listen(port, "127.0.0.1", resolve);
      });
      const address = opening.address();
      port = typeof address === "object" && address !== null ? address.port : port;
      server = opening;
    },
    passed: () => passed,
    close: () => proxy.down(),
  };
  await proxy.up();
  return proxy;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await gather(request);
    const { fault } = proxy;
    const one = record(request, body);
    if (request.method === "GET") return forward(request, body, response, one, false);
    seen.push(one);
    const headers = { "access-control-allow-origin": "*", "access-control-expose-headers": "retry-after" };
    if (fault.kind === "status") {
      one.status = fault.status;
      response.writeHead(fault.status, { ...headers, ...fault.headers }).end("{}");
      return;
    }
    if (fault.kind === "hold") return;
    await forward(request, body, response, one, fault.kind === "cut");
  }

  async function forward(
    request: IncomingMessage,
    body: Buffer,
    response: ServerResponse,
    one: Seen,
    isCut: boolean,
  ): Promise<void> {
    const passedOn = ["origin", "authorization", "content-type", "if-none-match", "accept-encoding"];
    const named = passedOn.map((name) => [name, String(request.headers[name] ?? "")] as const);
    const answered = await fetch(`${edgeUrl}${request.url}`, {
      method: request.method!,
      headers: Object.fromEntries(named.filter(([, value]) => value !== "")),
      // Passed on as it is, packed or not.
      decompress: false,
      ...(body.length > 0 ? { body: new Uint8Array(body) } : {}),
    });
    const bytes = new Uint8Array(await answered.arrayBuffer());
    if (answered.status === 202) passed += one.events.length;
    one.status = isCut ? 0 : answered.status;
    if (isCut) request.socket.destroy();
    else response.writeHead(answered.status, Object.fromEntries(answered.headers)).end(bytes);
  }
}

async function gather(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function record(request: IncomingMessage, body: Buffer): Seen {
  const isPacked = body[0] === 0x1f && body[1] === 0x8b;
  const text = (isPacked ? gunzipSync(body) : body).toString("utf8");
  const parsed = text === "" ? {} : JSON.parse(text);
  return {
    method: request.method!,
    path: request.url!,
    at: Date.now(),
    contentType: request.headers["content-type"] ?? "",
    bytes: body.length,
    isPacked,
    sentAt: parsed.sent_at ?? 0,
    events: parsed.events ?? [],
    status: -1,
  };
}
