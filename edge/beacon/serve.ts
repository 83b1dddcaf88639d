// GET /weir.js: the beacon's text, for pages of any origin.
import { beaconHash, beaconScript } from "./built.ts";

const headers = {
  "content-type": "text/javascript; charset=utf-8",
  // An hour, so that a new version is everywhere within it; a page never waits for the renewal.
  "cache-control": "public, max-age=3600, stale-while-revalidate=86400",
  // Weak, since it names the text, packed or not.
  etag: `W/"${beaconHash}"`,
  vary: "accept-encoding",
  "access-control-allow-origin": "*",
  "cross-origin-resource-policy": "cross-origin",
  "timing-allow-origin": "*",
  "x-content-type-options": "nosniff",
};

let packed: Promise<ArrayBuffer> | undefined;

/** The script, packed for who takes gzip, or 304 where the request names this version. */
export async function beaconResponse(request: Request): Promise<Response> {
  const known =
    request.headers
      .get("if-none-match")
      ?.replaceAll("W/", "")
      .split(/\s*,\s*/) ?? [];
  if (known.includes(`"${beaconHash}"`) || known.includes("*")) {
    return new Response(null, { status: 304, headers });
  }
  const isHead = request.method === "HEAD";
  const takesGzip = /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(
    request.headers.get("accept-encoding") ?? "",
  );
  if (!takesGzip) return new Response(isHead ? null : beaconScript, { headers });
  packed ??= pack(beaconScript);
  // Workers would pack a body once more unless they are told that it is.
  const init = { headers: { ...headers, "content-encoding": "gzip" }, encodeBody: "manual" };
  return new Response(isHead ? null : await packed, init as ResponseInit);
}

const pack = (text: string): Promise<ArrayBuffer> =>
  new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer();
