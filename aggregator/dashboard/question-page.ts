// A page that asks one question: its controls, its span, its states, and asking again while it is looked at.
import type { Answer } from "../read/answer.ts";
import { ask } from "./ask.ts";
import type { Card } from "./card.ts";
import { type Controls, createControls, type Offered } from "./controls.ts";
import { find, write } from "./element.ts";
import { formatMoment } from "./format.ts";
import { asRefusal, setStatus, showFailure, takeToken } from "./frame.ts";
import { daysBetween, type Interval, type RangeName, rangeOf, spanOf, type View } from "./view.ts";

/** What is asked about: the view, and what of it the data decided. */
export interface Asked {
  view: View;
  range: RangeName;
  interval: Interval;
  from: string;
  to: string;
  /** Span, zone, project, users and types as the API takes them. */
  shared: Readonly<Record<string, string>>;
}

export interface QuestionPage {
  /** One sentence below the title: what is counted. */
  lead: string;
  offered: Offered;
  /** The range where nobody chose one; 30 days where this is absent. */
  range?: RangeName;
  /** The interval of a span of so many days, where nobody chose one. */
  intervalOf(days: number): Interval;
  /** Makes the page's cards; `controls` changes the view. */
  build(controls: Controls): Built;
}

export interface Built {
  /** Cards that show the states of the question. */
  cards: readonly Card[];
  /** Asks and draws; answers the meta of what it drew, undefined where there is nothing to ask yet. */
  load(asked: Asked, signal: AbortSignal): Promise<Answer["meta"] | undefined>;
  redraw?(): void;
}

const refreshMs = 15_000;
/** A slow question is asked again only after so many times as long as it took. */
const restFactor = 20;

/** Runs a page until it is left. */
export function runPage(page: QuestionPage): void {
  write(find("lead"), page.lead);
  let loading: AbortController | undefined;
  let watermark: string | null | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const controls = createControls(page.offered, () => void load());
  const built = page.build(controls);

  function askedNow(): Asked {
    const { view } = controls;
    const range = rangeOf(view, watermark ?? null, page.range);
    const span = spanOf(view, range, new Date());
    const interval = view.interval ?? page.intervalOf(daysBetween(span.from, span.to));
    const shared = {
      ...span,
      tz: view.zone,
      ...(view.project === "" ? {} : { project: view.project }),
      ...(page.offered.users ? { users: view.users } : {}),
      ...(page.offered.types && view.types.length > 0 ? { types: view.types.join(",") } : {}),
    };
    return { view, range, interval, ...span, shared };
  }

  /** Where nobody chose anything, what is shown is not made pale while it is asked for again. */
  async function load(isQuiet = false): Promise<void> {
    loading?.abort();
    clearTimeout(timer);
    const mine = new AbortController();
    loading = mine;
    if (!isQuiet) for (const card of built.cards) card.busy();
    const began = performance.now();
    try {
      if (watermark === undefined) await look(mine.signal);
      const asked = askedNow();
      controls.reflect(asked.range, asked.interval);
      const meta = await built.load(asked, mine.signal);
      if (mine.signal.aborted) return;
      setStatus("live", "Live");
      if (meta !== undefined) {
        watermark = meta.watermark;
        const { zone } = asked.view;
        write(find("as-of"), `As of ${formatMoment(meta.as_of, zone)} ${zone}`);
      }
    } catch (error) {
      if (mine.signal.aborted) return;
      fail(error);
    }
    const restMs = Math.max(refreshMs, restFactor * (performance.now() - began));
    timer = setTimeout(() => (document.hidden ? undefined : void load(true)), restMs);
  }

  // The end of what is stored decides which span is shown first; it comes with the projects.
  async function look(signal: AbortSignal): Promise<void> {
    const { data, meta } = await ask("ledger", { by: "project" }, signal);
    controls.offerProjects(data.map((row) => String(row["project"])));
    watermark = meta.watermark;
  }

  function fail(error: unknown): void {
    const refusal = asRefusal(error);
    if (refusal.status === 401) {
      showFailure(refusal);
      return;
    }
    setStatus(refusal.status === 0 ? "failed" : "live", refusal.status === 0 ? "Not connected" : "Live");
    for (const card of built.cards) {
      card.tell({
        kind: "error",
        title: refusal.title,
        text: refusal.message,
        code: refusal.code,
        action: { label: "Try again", run: () => void load() },
      });
    }
  }

  takeToken(() => void load());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) void load(true);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => built.redraw?.());
  void load();
}

/** What stands where an answer is empty, and what to do about it. */
export function tellEmpty(card: Card, asked: Asked, meta: Answer["meta"], controls: Controls): void {
  if (meta.watermark === null) {
    card.tell({
      kind: "empty",
      title: "No events yet",
      text: "Send one from the overview, or import a file:",
      command: "./weir import events.ndjson",
    });
    return;
  }
  const isNarrow = asked.range !== "all";
  card.tell({
    kind: "empty",
    title: "Nothing in this span",
    text: `The newest event is of ${formatMoment(meta.watermark, asked.view.zone)} ${asked.view.zone}.`,
    ...(isNarrow
      ? { action: { label: "Show everything", run: () => controls.choose({ range: "all" }) } }
      : {}),
  });
}
