// The dashboard's files as they are served: bundled and packed in memory when first asked for.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

/** Answers a request for one of the dashboard's files; undefined where the path is none. */
export type Pages = (request: Request) => Promise<Response | undefined>;

interface Page {
  type: string;
  plain: Uint8Array<ArrayBuffer>;
  packed: Uint8Array<ArrayBuffer>;
  etag: string;
}

const folder = new URL("./", import.meta.url);

type Source = readonly [type: string, read: (edgeUrl: string) => Promise<string>];

const sources: Readonly<Record<string, Source>> = {
  "/": ["text/html; charset=utf-8", readIndex],
  "/dashboard.css": ["text/css; charset=utf-8", readStyle],
  "/dashboard.js": ["text/javascript; charset=utf-8", () => bundle("dashboard.ts")],
  "/quarantine": ["text/html; charset=utf-8", () => textOf("quarantine.html")],
  "/quarantine.css": ["text/css; charset=utf-8", () => textOf("quarantine.css")],
  "/quarantine.js": ["text/javascript; charset=utf-8", () => bundle("quarantine.ts")],
  "/completeness": ["text/html; charset=utf-8", () => textOf("completeness.html")],
  "/completeness.css": ["text/css; charset=utf-8", () => textOf("completeness.css")],
  "/completeness.js": ["text/javascript; charset=utf-8", () => bundle("completeness.ts")],
  "/favicon.svg": ["image/svg+xml", () => textOf("favicon.svg")],
};

/** `edgeUrl` is shown in the first command. Each file is made once; the script takes some 50 ms, so it is not made before somebody looks. */
export function createPages(edgeUrl?: string): Pages {
  const made = new Map<string, Promise<Page>>();
  return async (request) => {
    const path = new URL(request.url).pathname;
    const source = Object.hasOwn(sources, path) ? sources[path] : undefined;
    if (source === undefined) return undefined;
    const found = made.get(path) ?? make(source[0], source[1](edgeUrl ?? ""));
    made.set(path, found);
    return respond(await found, request);
  };
}

async function make(type: string, text: Promise<string>): Promise<Page> {
  const plain = new TextEncoder().encode(await text);
  const etag = `"${createHash("sha256").update(plain).digest("base64url").slice(0, 22)}"`;
  return { type, plain, packed: new Uint8Array(gzipSync(plain)), etag };
}

function respond(page: Page, request: Request): Response {
  const headers = new Headers({ "cache-control": "no-cache", etag: page.etag, vary: "accept-encoding" });
  if (request.headers.get("if-none-match") === page.etag) return new Response(null, { status: 304, headers });
  headers.set("content-type", page.type);
  const takesGzip = /\bgzip\b/.test(request.headers.get("accept-encoding") ?? "");
  if (takesGzip) headers.set("content-encoding", "gzip");
  return new Response(takesGzip ? page.packed : page.plain, { headers });
}

function textOf(name: string): Promise<string> {
  return readFile(new URL(name, folder), "utf8");
}

// The command of the empty page names the edge; without one it is taken to be beside this port.
async function readIndex(edgeUrl: string): Promise<string> {
  const safe = edgeUrl.replace(/[&"<>]/g, (character) => `&#${character.charCodeAt(0)};`);
  return (await textOf("index.html")).replace("%edge%", () => safe);
}

async function readStyle(): Promise<string> {
  const chart = await readFile(new URL(import.meta.resolve("uplot/dist/uPlot.min.css")), "utf8");
  return `${chart}\n${await textOf("style.css")}`;
}

async function bundle(entry: string): Promise<string> {
  const built = await Bun.build({
    entrypoints: [new URL(entry, folder).pathname],
    target: "browser",
    minify: true,
  });
  return built.outputs[0]!.text();
}
