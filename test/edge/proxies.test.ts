// Whose word is taken for a client's address and place, and what a User-Agent tells.
import { describe, expect, it } from "vitest";
import { readAddress, writeAddress } from "../../edge/address.ts";
import { readAgent } from "../../edge/device.ts";
import { clientReader } from "../../edge/proxies.ts";

const facts = (
  setting: string,
  headers: Record<string, string>,
  sender: string | undefined = "203.0.113.9",
) => clientReader(setting)(new Headers(headers), sender);
const forwarded = (list: string) => ({ "x-forwarded-for": list });

describe("a client's address", () => {
  it.each<[string, string, Record<string, string>, string | undefined, string | undefined]>([
    [
      "the sender's, and no header's",
      "",
      { ...forwarded("1.1.1.1"), "cf-connecting-ip": "2.2.2.2" },
      "203.0.113.9",
      "203.0.113.9",
    ],
    ["IPv4 without its IPv6 form", "", {}, "::ffff:203.0.113.9", "203.0.113.9"],
    ["not known", "", {}, undefined, undefined],
    ["what one proxy saw", "1", forwarded("6.6.6.6, 198.51.100.7"), undefined, "198.51.100.7"],
    [
      "what the outer of two proxies saw",
      "2",
      forwarded("6.6.6.6, 198.51.100.7, 10.0.0.2"),
      undefined,
      "198.51.100.7",
    ],
    ["with a port", "1", forwarded("198.51.100.7:4711"), undefined, "198.51.100.7"],
    ["IPv6 with a port", "1", forwarded("[2001:db8::1]:4711"), undefined, "2001:db8:0:0:0:0:0:1"],
    ["the sender's where the header has none", "1", {}, "203.0.113.9", "203.0.113.9"],
    ["the sender's where what it says is none", "1", forwarded("unknown"), "203.0.113.9", "203.0.113.9"],
    [
      "the first beyond the networks",
      "10.0.0.0/8",
      forwarded("6.6.6.6, 198.51.100.7, 10.1.1.1"),
      "10.0.0.1",
      "198.51.100.7",
    ],
    ["the sender's, who is in no network", "10.0.0.0/8", forwarded("6.6.6.6"), "203.0.113.9", "203.0.113.9"],
    ["in a network of IPv6", "fd00::/8", forwarded("2001:db8::5"), "fd12::1", "2001:db8:0:0:0:0:0:5"],
    ["Cloudflare's word", "cloudflare", { "cf-connecting-ip": "198.51.100.7" }, undefined, "198.51.100.7"],
    [
      "Cloudflare's word from its network alone",
      "cloudflare,10.0.0.0/8",
      { "cf-connecting-ip": "6.6.6.6" },
      "203.0.113.9",
      "203.0.113.9",
    ],
    ["Fly's word", "fly", { "fly-client-ip": "198.51.100.7" }, undefined, "198.51.100.7"],
    [
      "CloudFront's word, which has a port",
      "cloudfront",
      { "cloudfront-viewer-address": "198.51.100.7:443" },
      undefined,
      "198.51.100.7",
    ],
  ])("is %s", (_, setting, headers, sender, ip) => {
    expect(clientReader(setting)(new Headers(headers), sender).ip).toBe(ip);
  });

  it.each(["proxy", "10.0.0.0/33", "1.2.3", "10.0.0.0/x", "300.1.1.1"])(
    "%s is refused as a setting",
    (setting) => {
      expect(() => clientReader(setting)).toThrow("WEIR_TRUSTED_PROXIES");
    },
  );
});

describe("a client's place", () => {
  it("is taken from the platform that is named, and from no other", () => {
    const headers = {
      "x-real-ip": "198.51.100.7",
      "x-vercel-ip-country": "NZ",
      "x-vercel-ip-city": "T%C4%81maki",
      "cf-ipcountry": "DE",
    };
    expect(facts("vercel", headers)).toMatchObject({ country: "NZ", city: "Tāmaki", ip: "198.51.100.7" });
    expect(facts("", headers)).toMatchObject({ country: undefined, city: undefined });
  });

  it.each(["XX", "T1", "nz", ""])("is unknown where the country is %j", (country) => {
    expect(facts("cloudflare", { "cf-connecting-ip": "1.1.1.1", "cf-ipcountry": country }).country).toBe(
      undefined,
    );
  });
});

it.each([
  ["::", "0:0:0:0:0:0:0:0"],
  ["::1", "0:0:0:0:0:0:0:1"],
  ["2001:DB8::", "2001:db8:0:0:0:0:0:0"],
  ["fe80::1%eth0", "fe80:0:0:0:0:0:0:1"],
  ["::ffff:1.2.3.4", "1.2.3.4"],
  ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
])("the address %s is read as %s", (given, written) => {
  expect(writeAddress(readAddress(given)!)).toBe(written);
});

it.each(["", "1", "1:2:3", "1::2::3", "g::", "1:2:3:4:5:6:7:8:9", "1.2.3.4.5", "12345::", "::1.2.3.999"])(
  "%j is no address",
  (text) => {
    expect(readAddress(text)).toBe(undefined);
  },
);

const iphone =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Mobile/15E148 Safari/604.1";
const chrome =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";
it.each<[string | null, string | undefined, boolean | undefined]>([
  [null, undefined, undefined],
  [iphone, "mobile", false],
  [chrome, "desktop", false],
  [
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/131.0.0.0 Mobile Safari/537.36",
    "mobile",
    false,
  ],
  [
    "Mozilla/5.0 (Linux; Android 13; SM-X710) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36",
    "tablet",
    false,
  ],
  ["Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148", "tablet", false],
  ["Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 Chrome/94.0 Safari/537.36", "tv", false],
  ["Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "bot", true],
  [`${chrome} HeadlessChrome/131.0.0.0`, "bot", true],
  ["facebookexternalhit/1.1", "bot", true],
  ["node", "server", false],
  ["analytics-node/2.1.0", "server", false],
  ["python-requests/2.32", "server", false],
  ["curl/8.5.0", "server", false],
  ["MyApp/3 CFNetwork/1490 Darwin/23", "mobile", false],
  ["something else", undefined, false],
])("the User-Agent %j is of %s", (agent, device, isBot) => {
  expect(readAgent(agent)).toEqual({ ...(device && { device }), ...(isBot === undefined ? {} : { isBot }) });
});
