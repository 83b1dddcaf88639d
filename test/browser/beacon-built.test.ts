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
  const first = await beaconResponse(new Request(place));
  expect(await first.text()).toBe(beaconScript);
  expect(Object.fromEntries(first.headers)).toMatchObject({
    "content-type": "text/javascript; charset=utf-8",
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    etag: `W/"${beaconHash}"`,
  });
  expect(first.headers.get("cache-control")).toMatch(/max-age=3600/);
  const asked = (headers: Record<string, string>, method = "GET"): Promise<Response> =>
    beaconResponse(new Request(place, { method, headers }));
  for (const known of [`W/"${beaconHash}"`, `"${beaconHash}"`, `"other", W/"${beaconHash}"`, "*"]) {
    const again = await asked({ "if-none-match": known });
    expect([again.status, await again.text()]).toEqual([304, ""]);
  }
  expect((await asked({ "if-none-match": '"other"' })).status).toBe(200);
  expect(await (await asked({}, "HEAD")).text()).toBe("");
});

it("is packed for who takes it packed", async () => {
  const cases = {
    gzip: true,
    "br, gzip;q=0.5": true,
    "gzip;q=0": false,
    "gzip; q=0.0, br": false,
    br: false,
    "": false,
  };
  for (const [encoding, isPacked] of Object.entries(cases)) {
    const answer = await beaconResponse(new Request(place, { headers: { "accept-encoding": encoding } }));
    expect([encoding, answer.headers.get("content-encoding")]).toEqual([encoding, isPacked ? "gzip" : null]);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const text = new TextDecoder().decode(isPacked ? Bun.gunzipSync(bytes) : bytes);
    expect(text).toBe(beaconScript);
    if (isPacked) expect(bytes.length).toBeLessThan(bytesMax + 64);
  }
});
