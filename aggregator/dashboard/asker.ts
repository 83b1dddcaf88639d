// Who looks at the page: what their role does not reach is not offered, and they can leave.
import { signedIn, signOut } from "./ask.ts";
import { find, write } from "./element.ts";

const roles = ["viewer", "analyst", "admin"];

/** Whether whoever looks may do what asks for this role. Where no token is needed, everybody may everything. */
export const may = (role: "analyst" | "admin"): boolean =>
  roles.indexOf(signedIn()?.role ?? "admin") >= roles.indexOf(role);

/** Hides what the token does not reach (`data-needs` and `data-whole` in the page), and tells who it is. */
export function showAsker(): void {
  const asker = signedIn();
  document.body.dataset["role"] = asker?.role ?? "admin";
  document.body.toggleAttribute("data-bound", (asker?.project ?? null) !== null);
  find("asker").hidden = asker === undefined;
  if (asker === undefined) return;
  const { name, role, project } = asker;
  write(find("asker-name"), `${name ?? "Signed in"} · ${role}${project === null ? "" : ` of ${project}`}`);
}

showAsker();
find("sign-out").addEventListener("click", () => {
  signOut();
  location.reload();
});
