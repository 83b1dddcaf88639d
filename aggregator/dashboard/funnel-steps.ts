// The funnel builder: an ordered list of steps, each a type, to be added, moved and removed by keyboard too.
import { make, write } from "./element.ts";

export const stepsMin = 2;
const stepsMax = 10;

/** Fills `place`; `changed` is told the steps that have a type. */
export function createSteps(
  place: HTMLElement,
  changed: (types: readonly string[]) => void,
): { show(types: readonly string[], known: readonly string[]): void } {
  const list = make("ol", "steps");
  const add = make("button", "quiet", "Add a step");
  add.type = "button";
  const spoken = make("p", "unseen");
  spoken.setAttribute("aria-live", "polite");
  place.append(list, add, spoken);
  let steps: string[] = [];
  let names: readonly string[] = [];

  function change(next: string[], said: string, focus?: { step: number; part: string }): void {
    steps = next;
    draw();
    write(spoken, said);
    if (focus !== undefined) {
      const step = list.children[Math.min(focus.step, steps.length - 1)];
      (
        step?.querySelector<HTMLElement>(`[data-part=${focus.part}]:enabled`) ?? step?.querySelector("select")
      )?.focus();
    }
    changed(steps.filter((type) => type !== ""));
  }

  function draw(): void {
    list.replaceChildren(...steps.map((type, at) => stepOf(type, at)));
    add.disabled = steps.length >= stepsMax;
  }

  function stepOf(type: string, at: number): HTMLElement {
    const select = make("select", "");
    select.setAttribute("aria-label", `Step ${at + 1}`);
    select.append(new Option("Choose a type", ""));
    for (const name of new Set([...names, ...(type === "" ? [] : [type])]))
      select.append(new Option(name, name));
    select.value = type;
    select.addEventListener("change", () => change(steps.with(at, select.value), ""));
    const move = (by: number): void => {
      const next = [...steps];
      next.splice(at + by, 0, ...next.splice(at, 1));
      const part = by < 0 ? "up" : "down";
      change(next, `${type || "Step"} is now step ${at + by + 1}`, { step: at + by, part });
    };
    const remove = (): void => {
      const next = steps.length > stepsMin ? steps.toSpliced(at, 1) : steps.with(at, "");
      change(next, `Step ${at + 1} removed`, { step: at, part: "remove" });
    };
    return make("li", "step", [
      select,
      button("up", "↑", `Move step ${at + 1} up`, at === 0, () => move(-1)),
      button("down", "↓", `Move step ${at + 1} down`, at === steps.length - 1, () => move(1)),
      button("remove", "×", `Remove step ${at + 1}`, steps.length <= stepsMin && type === "", remove),
    ]);
  }

  add.addEventListener("click", () => {
    steps = [...steps, ""];
    draw();
    write(spoken, `Step ${steps.length} added`);
    list.lastElementChild?.querySelector("select")?.focus();
  });

  return {
    show(types, known) {
      names = known;
      const filled = steps.filter((type) => type !== "");
      // A step that has no type yet is not in the URL, and stays where it is.
      const isSame = filled.length === types.length && filled.every((type, at) => type === types[at]);
      if (isSame && list.childElementCount > 0) return;
      steps = [...types, ...new Array<string>(Math.max(0, stepsMin - types.length)).fill("")];
      draw();
    },
  };
}

function button(part: string, text: string, label: string, disabled: boolean, run: () => void): HTMLElement {
  const element = make("button", "icon", text);
  element.type = "button";
  element.disabled = disabled;
  element.dataset["part"] = part;
  element.setAttribute("aria-label", label);
  element.title = label;
  element.addEventListener("click", run);
  return element;
}
