// The three charts of the page: events by type, people, and revenue, each asked and drawn by itself.
import type { AnswerRow } from "../read/question.ts";
import { ask, askCsv, Refusal } from "./ask.ts";
import { spread, sum } from "./columns.ts";
import { type Controls, createSegments } from "./controls.ts";
import { find, make } from "./element.ts";
import { formatCompact, formatCount, formatMoney } from "./format.ts";
import { createPanel } from "./panel.ts";
import { spanOf, type View } from "./view.ts";

type Range = NonNullable<View["range"]>;
type Span = { from: string; to: string; interval: string };

export interface Charts {
  /** Asks and draws all; rejects only where the page as a whole cannot go on. */
  draw(range: Range, signal: AbortSignal): Promise<void>;
  /** Draws what is shown again, after light became dark. */
  redraw(): void;
}

const count = (value: number, short: boolean): string => (short ? formatCompact(value) : formatCount(value));
const names = { day: "day", week: "week", month: "month" };

export function createCharts(controls: Controls): Charts {
  let range: Range = "30d";
  const span = (): Span => ({
    ...spanOf(controls.view, range, new Date()),
    interval: controls.view.interval,
  });
  const query = (): Record<string, string> => {
    const { zone, project } = controls.view;
    return { ...span(), tz: zone, ...(project === "" ? {} : { project }) };
  };
  const download = (question: string, extra: () => Record<string, string>) => (): void => {
    void save(question, { ...query(), ...extra() });
  };
  const usersQuery = (): Record<string, string> => ({ users: controls.view.users });

  const events = createPanel(
    find("events"),
    "Events",
    download("events", () => ({})),
  );
  const users = createPanel(find("users"), "Active users", download("active-users", usersQuery));
  const revenue = createPanel(
    find("revenue"),
    "Revenue",
    download("revenue", () => ({})),
  );
  const who = createSegments(
    "Who is counted",
    "users",
    [
      ["all", "All"],
      ["identified", "Identified"],
    ],
    (value) => controls.choose({ users: value === "identified" ? "identified" : "all" }),
  );
  users.controls.append(who.element);
  const currencies = make("select", "");
  currencies.setAttribute("aria-label", "Currency");
  currencies.addEventListener("change", () => controls.choose({ currency: currencies.value }));
  revenue.controls.append(currencies);

  function drawEvents(rows: readonly AnswerRow[], { interval }: Span): void {
    const columns = spread(rows, "events", "type", span());
    const total = sum(columns.columns.flatMap((column) => column.values));
    events.show(columns, { kind: "bars", interval, whole: true, format: count }, formatCount(total));
    if (rows.length === 0) events.say("No events in this range");
  }

  function drawUsers(rows: readonly AnswerRow[], { interval }: Span): void {
    const columns = spread(rows, "active_users", undefined, span());
    const values = columns.columns[0]?.values ?? [];
    const most = values.reduce((highest, value) => Math.max(highest, value), 0);
    const per = names[controls.view.interval];
    users.show(
      { ...columns, columns: columns.columns.map((column) => ({ ...column, name: "active users" })) },
      { kind: "area", interval, whole: true, format: count },
      `${formatCount(most)} at most a ${per}`,
    );
    if (rows.length === 0) users.say("No active users in this range");
  }

  function drawRevenue(rows: readonly AnswerRow[], { interval }: Span): void {
    find("revenue").hidden = rows.length === 0;
    if (rows.length === 0) return;
    const known = [...new Set(rows.map((row) => String(row["currency"] ?? "")))];
    const largest = (name: string): number =>
      rows.filter((row) => String(row["currency"] ?? "") === name).length;
    known.sort((left, right) => largest(right) - largest(left));
    const chosen = known.includes(controls.view.currency) ? controls.view.currency : known[0]!;
    currencies.hidden = known.length < 2;
    currencies.replaceChildren(...known.map((name) => new Option(name || "no currency", name)));
    currencies.value = chosen;
    const own = rows.filter((row) => String(row["currency"] ?? "") === chosen);
    const money = (value: number, short: boolean): string => formatMoney(value, chosen || null, short);
    const columns = spread(own, "revenue", undefined, span());
    const total = money(sum(columns.columns.flatMap((column) => column.values)), false);
    revenue.show(columns, { kind: "bars", interval, whole: false, format: money }, total);
  }

  return {
    redraw() {
      for (const panel of [events, users, revenue]) panel.redraw();
    },
    async draw(wanted, signal) {
      range = wanted;
      who.set(controls.view.users);
      const panels = [
        [events, "events", {}, drawEvents],
        [users, "active-users", usersQuery(), drawUsers],
        [revenue, "revenue", {}, drawRevenue],
      ] as const;
      await Promise.all(
        panels.map(async ([panel, question, extra, drawRows]) => {
          const asked = query();
          try {
            const { data } = await ask(question, { ...asked, ...extra }, signal);
            if (!signal.aborted) drawRows(data, span());
          } catch (error) {
            // A question that is refused speaks in its own chart; a store that is away, for the page.
            if (!(error instanceof Refusal) || error.status === 0 || error.status === 401) throw error;
            panel.say(`${error.title}. ${error.message}`);
          }
        }),
      );
    },
  };
}

async function save(question: string, query: Readonly<Record<string, string>>): Promise<void> {
  const link = make("a", "");
  link.href = URL.createObjectURL(await askCsv(question, query));
  link.download = `weir-${question}-${query["from"]}-${query["to"]}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}
