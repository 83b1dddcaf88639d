// The doors for CloudEvents: one for any producer, and one for the clients of OpenMeter.
import { cloudEventsDialect } from "./cloudevents.ts";
import { readCloudEvents } from "./cloudevents-body.ts";
import type { Door } from "./door.ts";
import { accepted } from "./native.ts";

/** To most producers a subject is a file, an order or a device. */
export const cloudEventsDoor: Door = {
  dialect: cloudEventsDialect("cloudevents", "aggregate_id"),
  intakes: [{ method: "POST", path: "/v1/cloudevents", read: readCloudEvents, answer: accepted }],
};

/** Its subject is whose use is metered. The client throws at 400 and above, and reads no body else. */
export const openMeterDoor: Door = {
  dialect: cloudEventsDialect("openmeter", "user_id"),
  intakes: [
    {
      method: "POST",
      path: "/api/v1/events",
      read: readCloudEvents,
      answer: () => new Response(null, { status: 204 }),
    },
  ],
};
