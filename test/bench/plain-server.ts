// A plain edge as a process on Bun, Deno or Node: its words are the adapter, the part and the address behind.
import { plainEdge } from "./plain-edge.ts";

const [adapter, part, upstreamUrl] = process.argv.slice(2) as [string, string, string];
const { serve, fetch } = (await import(adapter)) as typeof import("../../edge/adapter/node.ts");
const server = await serve(plainEdge(part, upstreamUrl, fetch), { host: "127.0.0.1", port: 0 }, () => ({}));
console.log(`edge ${server.url}`);
