// Who may use which route: the one table of it. A route that is not in it is for admins alone.
import { WeirError } from "../../shared/problem.ts";

/** From the least to the most: each may do what those before it may. */
export const roles = ["viewer", "analyst", "admin"] as const;
export type Role = (typeof roles)[number];

/** Whoever asks. `name` is their token's; null without one. `project`: the only one they are answered for. */
export interface Asker {
  role: Role;
  name: string | null;
  project: string | null;
}

export interface Access {
  /** The least role; absent where the route asks for no token. */
  role?: Role;
  /**
   * What a token of one project gets: `own` is asked for that project alone, `none` holds nothing of any
   * project, `all` is of all projects at once and so not for it.
   */
  scope: "own" | "none" | "all";
  /** The parameter's value with which it shows single people; for analysts. */
  personal?: readonly [parameter: string, value: string];
}

const open: Access = { scope: "none" };
const figures: Access = { role: "viewer", scope: "own" };
const people: Access = { role: "analyst", scope: "own" };
/** Figures of all projects at once. */
const whole: Access = { role: "viewer", scope: "all" };
const change: Access = { role: "admin", scope: "all" };

/** By method and path, as the routes are registered. */
export const accessTable: Readonly<Record<string, Access>> = {
  "GET /v1/active-users": figures,
  // Any property of the payload, such as an address.
  "GET /v1/events": { ...figures, personal: ["by", "property"] },
  "GET /v1/revenue": figures,
  "GET /v1/sessions": figures,
  "GET /v1/retention": figures,
  "GET /v1/funnel": figures,
  "GET /v1/segments": { ...figures, personal: ["by", "property"] },
  "GET /v1/schemas": figures,
  "GET /v1/live": { ...figures, personal: ["events", "1"] },
  "GET /v1/ledger": figures,
  // A stream is one person's device.
  "GET /v1/completeness": { ...figures, personal: ["by", "stream"] },
  "GET /v1/reconcile": whole,
  "GET /v1/alerts": whole,
  "GET /v1/paths": figures,
  "GET /v1/cardinality": figures,
  "GET /v1/lateness": figures,
  "GET /v1/timeline": people,
  "GET /v1/newest": people,
  "GET /v1/quarantine": { role: "analyst", scope: "all" },
  "GET /v1/quarantine/:id": { role: "analyst", scope: "all" },
  "POST /v1/quarantine/retry": change,
  "POST /v1/quarantine/discard": change,
  "GET /v1/audit": { role: "admin", scope: "all" },
  "GET /v1/me": { role: "viewer", scope: "none" },
  "GET /v1/openapi.json": { role: "viewer", scope: "none" },
  // Edges sign what they ask; see shared/wire/signature.ts.
  "GET /v1/keys": open,
  "GET /livez": open,
  "GET /readyz": open,
  "GET /metrics": open,
  // The dashboard's files, and what is not there.
  "GET /*": open,
};

/** Where there is no entry. */
const unlisted: Access = { role: "admin", scope: "all" };

/** Access of a route as it was registered; one that is nowhere listed is closed. */
export const accessOf = (method: string, path: string): Access =>
  (Object.hasOwn(accessTable, `${method} ${path}`) ? accessTable[`${method} ${path}`] : undefined) ??
  unlisted;

/** Whether a role is as much as another. */
export const reaches = (role: Role, least: Role): boolean => roles.indexOf(role) >= roles.indexOf(least);

/** Whether so asked a route shows single people. `given`: values of a parameter. */
export const isPersonal = ({ personal }: Access, given: (parameter: string) => readonly string[]): boolean =>
  personal !== undefined && given(personal[0]).includes(personal[1]);

/** Throws `forbidden`, which says what it would take, unless `asker` may ask this. `given`: values of a parameter. */
export function checkRole(
  asker: Asker,
  access: Access,
  given: (parameter: string) => readonly string[],
): void {
  const { role, scope, personal } = access;
  const showsPeople = isPersonal(access, given);
  const least = showsPeople && role === "viewer" ? "analyst" : role;
  if (least !== undefined && !reaches(asker.role, least)) {
    const what = showsPeople && personal !== undefined ? personal.join("=") : "This";
    throw new WeirError(
      "forbidden",
      `${what} needs the role ${least}; this token has the role ${asker.role}.`,
    );
  }
  if (asker.project === null || scope === "none") return;
  if (scope === "all") {
    throw new WeirError(
      "forbidden",
      `This is of all projects; this token is for the project ${asker.project}.`,
    );
  }
  if (given("project").some((project) => project !== "" && project !== asker.project)) {
    throw new WeirError("forbidden", `This token is for the project ${asker.project} alone.`);
  }
}
