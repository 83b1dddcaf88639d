// Starts the page that the document names.
import { activeUsersPage } from "./active-users.ts";
import { eventTypesPage } from "./event-types.ts";
import { funnelPage } from "./funnel.ts";
import { latenessPage } from "./lateness.ts";
import { pathsPage } from "./paths.ts";
import { type QuestionPage, runPage } from "./question-page.ts";
import { retentionPage } from "./retention.ts";
import { revenuePage } from "./revenue.ts";
import { segmentsPage } from "./segments.ts";
import { sessionsPage } from "./sessions.ts";

const pages: Readonly<Record<string, QuestionPage>> = {
  "active-users": activeUsersPage,
  retention: retentionPage,
  funnel: funnelPage,
  paths: pathsPage,
  revenue: revenuePage,
  sessions: sessionsPage,
  segments: segmentsPage,
  "event-types": eventTypesPage,
  lateness: latenessPage,
};

const page = pages[document.body.dataset["page"] ?? ""];
if (page !== undefined) runPage(page);
// The overview stands by itself and begins when it is imported.
else await import("./overview.ts");
