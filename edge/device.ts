// What a User-Agent tells of its client: the kind of device, and whether it is a bot. Marks, never a reason to refuse.
import type { ClientFacts } from "./client.ts";

export type DeviceFacts = Pick<ClientFacts, "device" | "isBot">;

const agentLengthMax = 512;
/** Agents whose reading is remembered: a few hundred make up nearly all traffic; 1,000 × 600 bytes. */
const rememberedMax = 1_000;
const remembered = new Map<string, DeviceFacts>();
const nothing: DeviceFacts = {};

// A program that sends what people did is no bot, whatever library it sends it with.
const server =
  /^(?:(?:analytics|posthog|snowplow|openmeter|cloudevents|weir)[-/\w]*|node(?:\.js|-fetch|$)|undici|axios|got|python|aiohttp|ruby|faraday|php|guzzlehttp|java|apache-httpclient|go-http-client|reqwest|curl|wget|deno|bun)\b/i;
// Those that name themselves, and the tools that drive a browser. Lists of thousands find few more, and would
// be a fortieth of a Worker.
const bot =
  /bots?\b|crawl|spider|slurp|headless|lighthouse|pagespeed|phantomjs|puppeteer|playwright|selenium|webdriver|facebookexternalhit|whatsapp\/|embedly|link ?preview|monitor|uptime|pingdom|archiver|validator|feed ?fetcher|mediapartners|apis-google|\+https?:\/\//i;
const kinds: readonly (readonly [device: string, pattern: RegExp])[] = [
  [
    "tv",
    /smart-?tv|google ?tv|apple ?tv|android tv|hbbtv|netcast|web0s|tizen[^)]*\btv\b|roku|crkey|\baft[a-z]|bravia/i,
  ],
  ["tablet", /ipad|tablet|kindle|silk\/|playbook|android(?!.*mobile)/i],
  ["mobile", /mobi|iphone|ipod|android|cfnetwork|windows phone/i],
  ["desktop", /windows nt|macintosh|x11|cros|linux/i],
];

/** Reads a User-Agent; what it does not tell is left out. */
export function readAgent(agent: string | null): DeviceFacts {
  if (agent === null || agent === "") return nothing;
  const known = remembered.get(agent);
  if (known !== undefined) return known;
  const facts = read(agent.slice(0, agentLengthMax));
  if (agent.length > agentLengthMax) return facts;
  if (remembered.size >= rememberedMax) remembered.clear();
  remembered.set(agent, facts);
  return facts;
}

function read(agent: string): DeviceFacts {
  if (server.test(agent)) return { device: "server", isBot: false };
  if (bot.test(agent)) return { device: "bot", isBot: true };
  const device = kinds.find(([, pattern]) => pattern.test(agent))?.[0];
  return device === undefined ? { isBot: false } : { device, isBot: false };
}
