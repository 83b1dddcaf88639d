// Every door of the edge, and the dialects by name for events that come back without the path they came by.
import { amplitudeDoor } from "./amplitude-door.ts";
import { cloudEventsDoor, openMeterDoor } from "./cloudevents-doors.ts";
import type { Dialect } from "./dialect.ts";
import type { Door } from "./door.ts";
import { ga4Door } from "./ga4-door.ts";
import { growthEventDoor } from "./growth-event.ts";
import { mixpanelDoor } from "./mixpanel-door.ts";
import { native, nativeDoor } from "./native.ts";
import { plausibleDoor } from "./plausible.ts";
import { type PosthogOutside, posthogDoor } from "./posthog-door.ts";
import { type Afterwards, segmentDoors } from "./segment-door.ts";
import { snowplowDoor } from "./snowplow-door.ts";
import { umamiDoor } from "./umami-door.ts";

/** What doors do beside taking events, as the settings say. */
export interface Outside {
  /** After a request of Segment's clients was answered. */
  segment?: Afterwards | undefined;
  posthog?: PosthogOutside | undefined;
}

export function createDoors(outside: Outside = {}): readonly Door[] {
  const own = [nativeDoor, growthEventDoor];
  const others = [
    cloudEventsDoor,
    openMeterDoor,
    snowplowDoor,
    plausibleDoor,
    umamiDoor,
    amplitudeDoor,
    mixpanelDoor,
    ga4Door,
  ];
  return [...own, ...segmentDoors(outside.segment), posthogDoor(outside.posthog), ...others];
}

export const doors: readonly Door[] = createDoors();

/** The dialect of a name; what has none that is known is taken as our own format. */
export const dialectNamed = (name: string): Dialect =>
  doors.find(({ dialect }) => dialect.name === name)?.dialect ?? native;
