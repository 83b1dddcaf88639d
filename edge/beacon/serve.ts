// GET /weir.js: the beacon's text, for pages of any origin.
import { beaconHash, beaconScript } from "./built.ts";

const headers = {
  "content-type": "text/javascript; charset=utf-8",
  // An hour, so that a new version is everywhere within it; a page never waits for the renewal.
  "cache-control": "public, max-age=3600, stale-while-revalidate=86400",
  etag: `"${beaconHash}"`,
  "access-control-allow-origin": "*",
  "cross-origin-resource-policy": "cross-origin",
  "timing-allow-origin": "*",
  "x-content-type-options": "nosniff",
};

/** The script, or 304 where the request names this version. */
export function beaconResponse(request: Request): Response {
  const known =
    request.headers
      .get("if-none-match")
      ?.replaceAll("W/", "")
      .split(/\s*,\s*/) ?? [];
  if (known.includes(headers.etag) || known.includes("*"))
    return new Response(null, { status: 304, headers });
  return new Response(request.method === "HEAD" ? null : beaconScript, { headers });
}
