// What a page tells by itself: views, time spent, marked clicks, and that it is being left.
import { claimQueues, record, releaseQueues } from "./queue.ts";
import { retryNow, send } from "./send.ts";
import type { Fields } from "./types.ts";
import { attempt, options } from "./visitor.ts";

let shown = "";
let referrer = "";
let engagedMs = 0;
/** When the page began to be looked at, by its own clock; 0 while it is not. */
let since = 0;

/** Records a view of the page as it is now. */
export function view(payload?: Fields, context?: Fields): void {
  const { origin, pathname, search } = location;
  shown = place();
  record(
    "page_view",
    { url: origin + pathname + search, title: document.title, referrer, ...payload },
    context,
  );
  referrer = location.href;
}

/** Listens to the page. Nothing here lets an error through to it. */
export function watch(): void {
  referrer = document.referrer;
  const isAutomatic = options.auto !== "off";
  on("pagehide", () => {
    leave(isAutomatic);
    releaseQueues();
  });
  on("visibilitychange", () => {
    if (document.hidden) leave(isAutomatic);
    else claimQueues();
    measure();
  });
  on("pageshow", (event) => {
    if (!(event as PageTransitionEvent).persisted) return;
    claimQueues();
    measure();
    if (isAutomatic) view();
  });
  on("online", retryNow);
  if (!isAutomatic) return;
  on("focus", measure);
  on("blur", measure);
  on("click", click);
  if (options.spa !== "off") followRoutes();
  measure();
  const { prerendering } = document as { prerendering?: boolean };
  if (prerendering) on("prerenderingchange", () => view());
  else view();
}

function followRoutes(): void {
  // The title is changed behind the address, so the view waits for the end of what the page is doing.
  const soon = (): unknown => setTimeout(() => attempt(followRoute));
  for (const name of ["pushState", "replaceState"] as const) {
    const original = history[name];
    history[name] = function (...given) {
      original.apply(this, given);
      soon();
    };
  }
  on("popstate", soon);
  on("hashchange", soon);
}

function followRoute(): void {
  if (place() === shown) return;
  tellEngagement();
  view();
}

const place = (): string =>
  location.pathname + location.search + (options.spa === "hash" ? location.hash : "");

function leave(isAutomatic: boolean): void {
  if (isAutomatic) {
    if (options.spa !== "off") followRoute();
    tellEngagement();
  }
  void send(true);
}

/** Adds the time since the last look: a page counts while it is seen and has the focus. */
function measure(): void {
  const now = performance.now();
  if (since) engagedMs += now - since;
  since = !document.hidden && document.hasFocus() ? now : 0;
}

function tellEngagement(): void {
  measure();
  // Less is told with the next part.
  const engagedMsMin = 100;
  if (engagedMs < engagedMsMin) return;
  record("engagement", { engaged_ms: Math.round(engagedMs), path: shown });
  engagedMs = 0;
}

/** `data-weir-click` names the event, other `data-weir-` attributes its payload. */
function click(event: Event): void {
  const marked = (event.target as Element).closest("[data-weir-click]");
  if (!marked) return;
  const payload: Record<string, string> = {};
  for (const { name, value } of marked.attributes) {
    if (name.startsWith("data-weir-")) payload[name.slice("data-weir-".length)] = value;
  }
  const { click: type, ...rest } = payload;
  record(type!, rest);
}

// Captured at the window, every event of the page comes by.
function on(name: string, listen: (event: Event) => void): void {
  addEventListener(name, (event) => attempt(() => listen(event)), true);
}
