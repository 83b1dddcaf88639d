// The dashboard's files as they are served: bundled and packed in memory when first asked for.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { pageFiles, textOf, writePage } from "./site.ts";

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

const html = "text/html; charset=utf-8";
const css = "text/css; charset=utf-8";
const script = "text/javascript; charset=utf-8";
const sources: Readonly<Record<string, Source>> = {
  ...Object.fromEntries(
    pageFiles.map((page): [string, Source] => [page.path, [html, (edgeUrl) => writePage(page, edgeUrl)]]),
  ),
  "/dashboard.css": [css, readStyle],
  "/dashboard.js": [script, () => bundle("dashboard.ts")],
  "/quarantine.css": [css, () => textOf("quarantine.css")],
  "/quarantine.js": [script, () => bundle("quarantine.ts")],
  "/completeness.css": [css, () => textOf("completeness.css")],
  "/completeness.js": [script, () => bundle("completeness.ts")],
  "/alerts.css": [css, () => textOf("alerts.css")],
  "/alerts.js": [script, () => bundle("alerts.ts")],
  "/favicon.svg": ["image/svg+xml", () => textOf("favicon.svg")],
};

/** Where the dashboard's files are. */
export const pagePaths: readonly string[] = Object.keys(sources);

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

async function readStyle(): Promise<string> {
  const chart = await readFile(new URL(import.meta.resolve("uplot/dist/uPlot.min.css")), "utf8");
  return [chart, await textOf("style.css"), await textOf("question.css")].join("\n");
}

async function bundle(entry: string): Promise<string> {
  const built = await Bun.build({
    entrypoints: [new URL(entry, folder).pathname],
    target: "browser",
    minify: true,
  });
  return built.outputs[0]!.text();
}
