// What PostHog's clients ask for beside sending events, handed on to PostHog itself.
import type { Upstream } from "../upstream.ts";
import type { Aside } from "./door.ts";

const paths = [
  ...["/flags/*", "/decide/*", "/array/*", "/s/", "/static/*", "/surveys/*", "/site_app/*", "/i/v1/*"],
  ...["/api/surveys/*", "/api/early_access_features/*", "/api/web_experiments/*", "/api/feature_flag/*"],
  ...["/api/projects/*", "/api/element/*", "/toolbar/*"],
];

export const passedOn = ({ pass }: Pick<Upstream, "pass">): readonly Aside[] =>
  paths.flatMap((path) =>
    (["GET", "POST"] as const).map(
      (method): Aside => ({
        method,
        path,
        answer: (request, _params, _readBody, client) => pass(request, client),
      }),
    ),
  );
