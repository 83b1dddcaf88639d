// What PostHog's clients ask for beside sending events, answered as a project without flags, surveys and replay.
import { WeirError } from "../../shared/problem.ts";
import type { Aside } from "./door.ts";

const flags = { flags: {}, featureFlags: {}, featureFlagPayloads: {}, errorsWhileComputingFlags: false };

// What a browser client switches on by itself stays on; everything that PostHog's servers would do is off.
const config = {
  supportedCompression: ["gzip", "gzip-js"],
  hasFeatureFlags: false,
  sessionRecording: false,
  surveys: false,
  heatmaps: false,
  capturePerformance: false,
  captureDeadClicks: false,
  autocaptureExceptions: false,
  autocapture_opt_out: false,
  elementsChainAsString: true,
  defaultIdentifiedOnly: true,
  isAuthenticated: false,
  toolbarParams: {},
  siteApps: [],
};

const given =
  (body: unknown): Aside["answer"] =>
  () =>
    Response.json(body);

const both = (method: Aside["method"], path: string, answer: Aside["answer"]): Aside[] =>
  [path, `${path}/`].map((each) => ({ method, path: each, answer }));

export const emptyAnswers: readonly Aside[] = [
  ...both("POST", "/flags", given({ ...flags, ...config })),
  ...both("POST", "/decide", given({ ...flags, ...config, config: { enable_collect_everything: true } })),
  ...both("GET", "/array/:key/config", given(config)),
  ...both("GET", "/array/:key/config.js", configScript),
  ...both("GET", "/api/surveys", given({ surveys: [], survey_config: null })),
  ...both("GET", "/api/early_access_features", given({ earlyAccessFeatures: [] })),
  ...both("GET", "/api/web_experiments", given({ experiments: [] })),
  ...["/api/feature_flag/local_evaluation", "/flags/definitions"].flatMap((path) =>
    both("GET", path, given({ flags: [], group_type_mapping: {}, cohorts: {} })),
  ),
];

// The same as a script, which holds the key: so nothing but a key's own letters may come in.
function configScript(_request: Request, { key = "" }: Readonly<Record<string, string>>): Response {
  if (!/^[\w-]{1,256}$/.test(key)) throw new WeirError("not_found", "No such key.");
  const body = `(function(){var c=window._POSTHOG_REMOTE_CONFIG=window._POSTHOG_REMOTE_CONFIG||{};c[${JSON.stringify(key)}]={config:${JSON.stringify(config)},siteApps:[]}})();\n`;
  return new Response(body, { headers: { "content-type": "text/javascript; charset=utf-8" } });
}
