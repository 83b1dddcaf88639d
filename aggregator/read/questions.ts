// Every question over the events, in the order of the API's description.
import { activeUsers } from "./active-users.ts";
import { alerts } from "./alerts.ts";
import { cardinality } from "./cardinality.ts";
import { events } from "./events.ts";
import { funnel } from "./funnel.ts";
import { lateness } from "./lateness.ts";
import { newest } from "./newest.ts";
import { paths } from "./paths.ts";
import type { Question } from "./question.ts";
import { retention } from "./retention.ts";
import { revenue } from "./revenue.ts";
import { schemas } from "./schemas.ts";
import { segments } from "./segments.ts";
import { sessions } from "./sessions.ts";
import { timeline } from "./timeline.ts";

export const questions: readonly Question[] = [
  activeUsers,
  events,
  revenue,
  sessions,
  retention,
  funnel,
  paths,
  segments,
  timeline,
  newest,
  lateness,
  cardinality,
  alerts,
  schemas,
];
