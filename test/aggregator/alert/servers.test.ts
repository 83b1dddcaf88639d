// Alerts on servers of their own: rules are judged, told and delivered as they are on the embedded store.
import { afterAll, beforeAll, describe } from "vitest";
import { describeWith, serviceUrl } from "../../support/services.ts";
import { type FilledStore, filledStore } from "../read/filled-store.ts";
import { judgeSuite } from "./judge-suite.ts";
import { runningSuite } from "./running-suite.ts";
import { transitionsSuite } from "./transitions-suite.ts";
import { webhookSuite } from "./webhook-suite.ts";

/** What is drawn at random is drawn at length on the embedded store. */
const runs = { figures: 2, histories: 10 };

describe.each(["postgres", "timescale", "timescale_community"] as const)("on %s", (service) => {
  describeWith([service], "alerts", () => {
    let filled: FilledStore;
    beforeAll(async () => {
      filled = await filledStore(serviceUrl(service));
    }, 180_000);
    afterAll(() => filled?.close());

    describe("a rule", () => judgeSuite(() => filled, { runs: runs.figures, isFull: false }));
    describe("a judgement", () => transitionsSuite(() => filled.store, runs.histories));
    describe("the webhook", () => webhookSuite(() => filled.store));
    describe("beside the writers", () => runningSuite(() => filled));
  });
});
