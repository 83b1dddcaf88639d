// Runs one Worker on workerd by miniflare, on Node; prints where it listens and ends with its process.
import { dirname } from "node:path";
import { Miniflare } from "miniflare";
import { cloudflareFacts } from "./body.ts";
import type { WorkerHost } from "./edges.ts";

const host = JSON.parse(process.argv[2] ?? "") as WorkerHost;
const miniflare = new Miniflare({
  host: "127.0.0.1",
  port: 0,
  modules: true,
  modulesRoot: dirname(host.script),
  scriptPath: host.script,
  compatibilityDate: "2026-05-01",
  bindings: { ...host.bindings },
  cf: cloudflareFacts as never,
  ...(host.persist === undefined
    ? {}
    : {
        durableObjects: { BUFFER: { className: "WeirBuffer", useSQLite: true } },
        durableObjectsPersist: host.persist,
      }),
});
process.on("SIGTERM", () => void miniflare.dispose().finally(() => process.exit(0)));
const { origin } = await miniflare.ready;
process.stdout.write(`edge ${origin}\n`);
