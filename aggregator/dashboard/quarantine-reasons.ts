// The reasons with their counts, each a button that shows only those.
import { find, make } from "./element.ts";
import { formatCount } from "./format.ts";

/** Draws one button a reason and one for all; `choose` gets the reason, or "" for all. */
export function showReasons(
  sums: readonly { reason: string; events: number }[],
  reason: string,
  choose: (reason: string) => void,
): void {
  const counts = new Map<string, number>();
  for (const sum of sums) counts.set(sum.reason, (counts.get(sum.reason) ?? 0) + sum.events);
  // A reason that was chosen stays to be seen where its last event has left.
  if (reason !== "" && !counts.has(reason)) counts.set(reason, 0);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const focused = document.activeElement?.id ?? "";
  const button = (name: string, text: string, count: number): HTMLElement => {
    const made = make("button", "reason", [make("span", "", text), make("b", "", formatCount(count))]);
    made.type = "button";
    made.id = `reason-${name}`;
    made.setAttribute("aria-pressed", String(name === reason));
    made.addEventListener("click", () => choose(name));
    return made;
  };
  const sorted = [...counts].sort((left, right) => right[1] - left[1]);
  const all = counts.size === 0 ? [] : [button("", "All reasons", total)];
  find("reasons").replaceChildren(...all, ...sorted.map(([name, count]) => button(name, name, count)));
  if (focused.startsWith("reason-")) document.getElementById(focused)?.focus();
}
