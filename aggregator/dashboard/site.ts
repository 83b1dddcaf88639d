// The pages there are, and how one is put together from the shell and its own content.
import { readFile } from "node:fs/promises";

const folder = new URL("./", import.meta.url);

interface PageFile {
  name: string;
  path: string;
  title: string;
  /** What it holds; the pages of one question share one. */
  content: string;
  /** Its script and its style, where it has its own. */
  own?: string;
  /** The role that its questions ask for, beyond a viewer's. */
  needs?: "analyst" | "admin";
  /** It is of all projects at once, and so not for a token of one. */
  isWhole?: true;
}

const asQuestion = (name: string, title: string): PageFile => ({
  name,
  path: `/${name}`,
  title,
  content: "question.html",
});

export const pageFiles: readonly PageFile[] = [
  { name: "overview", path: "/", title: "Overview", content: "overview.html" },
  asQuestion("active-users", "Active users"),
  asQuestion("retention", "Retention"),
  asQuestion("funnel", "Funnel"),
  asQuestion("paths", "Paths"),
  asQuestion("revenue", "Revenue"),
  asQuestion("sessions", "Sessions"),
  asQuestion("segments", "Segments"),
  asQuestion("event-types", "Event types"),
  asQuestion("lateness", "Lateness"),
  {
    name: "quarantine",
    path: "/quarantine",
    title: "Quarantine",
    content: "quarantine.html",
    own: "quarantine",
    needs: "analyst",
    isWhole: true,
  },
  {
    name: "completeness",
    path: "/completeness",
    title: "Completeness",
    content: "completeness.html",
    own: "completeness",
  },
  { name: "alerts", path: "/alerts", title: "Alerts", content: "alerts.html", own: "alerts", isWhole: true },
];

const picks = `    <label class="pick" id="project-pick" hidden><span class="unseen">Project</span><select id="project"></select></label>
    <label class="pick"><span class="unseen">Time zone</span><select id="zone"></select></label>`;

/** The whole text of a page; `edgeUrl` is shown in the first command. */
export async function writePage(page: PageFile, edgeUrl: string): Promise<string> {
  const [shell, content] = await Promise.all([textOf("shell.html"), textOf(page.content)]);
  const script = `  <script type="module" src="/${page.own ?? "dashboard"}.js"></script>`;
  const style = page.own === undefined ? "" : `  <link rel="stylesheet" href="/${page.own}.css">\n`;
  const main = content
    .replace("%heading%", page.title)
    // A section of another page is not there at all.
    .replace(/^.* data-only="([^"]+)".*\n/gm, (line, only: string) =>
      only.split(" ").includes(page.name) ? line : "",
    );
  const parts: Readonly<Record<string, string>> = {
    edge: edgeUrl.replace(/[&"<>]/g, (character) => `&#${character.charCodeAt(0)};`),
    title: page.name === "overview" ? "Weir" : `${page.title} · Weir`,
    page: page.name,
    head: style + script,
    picks: page.own === undefined ? picks : "",
    nav: pageFiles.map((each) => linkTo(each, each === page)).join("\n"),
    main,
  };
  return shell.replace(/%([a-z]+)%/g, (_, name: string) => parts[name] ?? "");
}

function linkTo({ path, title, own, needs, isWhole }: PageFile, isThis: boolean): string {
  const shares = own === undefined ? " data-shares" : "";
  const role = needs === undefined ? "" : ` data-needs="${needs}"`;
  return `      <li${role}${isWhole === true ? " data-whole" : ""}><a href="${path}"${shares}${isThis ? ' aria-current="page"' : ""}>${title}</a></li>`;
}

export function textOf(name: string): Promise<string> {
  return readFile(new URL(name, folder), "utf8");
}
