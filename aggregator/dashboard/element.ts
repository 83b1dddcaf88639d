// The page's elements: found by id, or made with their text; never from markup, so that no value is code.

/** An element of the page that must be there. */
export function find<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element ${id}`);
  return found as Kind;
}

/** Makes an element with a class and either a text or children. */
export function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className: string,
  content: string | readonly Node[] = "",
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  if (typeof content === "string") element.textContent = content;
  else element.append(...content);
  return element;
}

/** Writes a text only where it changed, so that a screen reader is not told the same again. */
export function write(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
