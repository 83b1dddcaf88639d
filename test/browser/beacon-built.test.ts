// The script that is served: built from the sources as they are, small, and as cacheable as it should be.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { beaconHash, beaconScript } from "../../edge/beacon/built.ts";
import { beaconResponse } from "../../edge/beacon/serve.ts";
import { buildBeacon, moduleOf } from "../../edge/command/build-beacon.ts";

const bytesMax = 3_072;
const place = "http://edge.test/weir.js";

it("is what its sources build to, today and every time", async () => {
  const [built, again] = [await buildBeacon(), await buildBeacon()];
  expect(again).toEqual(built);
  if (process.env["UPDATE"] === "1") {
    writeFileSync(join(import.meta.dirname, "../../edge/beacon/built.ts"), moduleOf(built));
    return;
  }
  // Renew it with: UPDATE=1 npm test -- beacon-built
  expect({ text: beaconScript, hash: beaconHash }).toEqual(built);
});

it(`is at most ${bytesMax} bytes, packed`, async () => {
  const { text } = await buildBeacon();
  const packed = Bun.gzipSync(text, { level: 9 }).length;
  console.log(`weir.js: ${text.length} B, ${packed} B packed (plausible 2,584, umami 2,353)`);
  expect(packed).toBeLessThanOrEqual(bytesMax);
});

it("is served to pages of any origin, and once to who has it", async () => {
  const first = beaconResponse(new Request(place));
  expect(await first.text()).toBe(beaconScript);
  expect(Object.fromEntries(first.headers)).toMatchObject({
    "content-type": "text/javascript; charset=utf-8",
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    etag: `"${beaconHash}"`,
  });
  expect(first.headers.get("cache-control")).toMatch(/max-age=3600/);
  const etag = first.headers.get("etag")!;
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
    const again = beaconResponse(new Request(place, { headers: { "if-none-match": known } }));
    expect([again.status, await again.text()]).toEqual([304, ""]);
  }
  const other = beaconResponse(new Request(place, { headers: { "if-none-match": '"other"' } }));
  expect(other.status).toBe(200);
  expect(await beaconResponse(new Request(place, { method: "HEAD" })).text()).toBe("");
});
