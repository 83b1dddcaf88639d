// The client as the edge's own runtime sees it: never what a body says of itself.

/** What an adapter knows of who sent a request; absent is not known. */
export interface ClientFacts {
  /** The address the request came from, as text; an adapter behind a proxy takes the proxy's word only where told to. */
  ip?: string | undefined;
  /** ISO 3166-1 alpha-2. */
  country?: string | undefined;
  city?: string | undefined;
  /** `mobile`, `tablet`, `desktop`, `tv`, `bot` or `server`, as far as the User-Agent tells. */
  device?: string | undefined;
  isBot?: boolean | undefined;
  /** How the client called, where a trusted proxy says so; else the request's own address tells. */
  protocol?: "http" | "https" | undefined;
}

/** What an adapter hands to `app.fetch` beside the request, on every runtime alike. */
export interface EdgeBindings {
  client?: ClientFacts | undefined;
  /** Keeps the runtime from ending work that outlives the answer; runtimes that need none leave it out. */
  waitUntil?: ((work: Promise<unknown>) => void) | undefined;
}

/** The edge as adapters serve it. */
export interface EdgeApp {
  fetch(request: Request, bindings?: EdgeBindings): Response | Promise<Response>;
}
