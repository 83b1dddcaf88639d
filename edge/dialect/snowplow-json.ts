// Self-describing JSON inside a Snowplow event: the event's own data, and the entities beside it.
import { EventFault } from "../fault.ts";
import { isRecord } from "../schema.ts";
import { jsonWithin, openedText } from "./values.ts";

/** A value with the Iglu URI of its schema. */
export interface SelfDescribing {
  schema: string;
  data: unknown;
}

export interface Described extends SelfDescribing {
  /** The schema's name, which is the event's. */
  name: string;
  /** The schema's model, the number that changes when it breaks; undefined before the first. */
  version: number | undefined;
}

type Value = Readonly<Record<string, unknown>>;
type Take = (name: string) => unknown;

const iglu = /^iglu:[^/]+\/([^/]+)\/[^/]+\/(\d{1,9})-\d+-\d+$/;

/** The data of an event of the kind `ue`. */
export function selfDescribing(value: Value, take: Take): Described | EventFault {
  const found = within(value, "ue_px", "ue_pr", take);
  if (found instanceof EventFault) return found;
  if (found === undefined) return new EventFault("missing_field", "/ue_pr", "The field is needed.");
  const inner = isRecord(found.value) ? found.value["data"] : undefined;
  const [, name, model] = isSelfDescribing(inner) ? (iglu.exec(inner.schema) ?? []) : [];
  if (!isSelfDescribing(inner) || name === undefined) {
    return new EventFault(
      "invalid_value",
      `/${found.name}`,
      "It must hold data with the Iglu URI of its schema.",
    );
  }
  return { ...inner, name, version: Number(model) || undefined };
}

/** The entities beside an event; none where it has none. */
export function entitiesOf(value: Value, take: Take): readonly SelfDescribing[] | EventFault {
  const found = within(value, "cx", "co", take);
  if (found === undefined || found instanceof EventFault) return found ?? [];
  const entities = isRecord(found.value) ? found.value["data"] : undefined;
  if (Array.isArray(entities) && entities.every(isSelfDescribing)) return entities;
  return new EventFault("invalid_value", `/${found.name}`, "It must hold a list of data with schemas.");
}

const isSelfDescribing = (value: unknown): value is SelfDescribing =>
  isRecord(value) && typeof value["schema"] === "string";

// The packed form goes first; should there be both, the plain one stays where it is.
function within(
  value: Value,
  packed: string,
  plain: string,
  take: Take,
): { value: unknown; name: string } | EventFault | undefined {
  const isPacked = value[packed] !== undefined && value[packed] !== null;
  const name = isPacked ? packed : plain;
  const text = take(name);
  if (text === undefined || text === null) return undefined;
  const found = jsonWithin(text, name, isPacked);
  return found instanceof EventFault ? found : { ...found, name };
}

const pairs = [
  ["ue_px", "ue_pr"],
  ["cx", "co"],
] as const;

/** An event with what it holds as text as it is: what cannot be read stays text, under its own name. */
export function opened(value: Value): Value {
  const open: Record<string, unknown> = { ...value };
  for (const [packed, plain] of pairs) {
    const found = openedText(value[packed], true);
    const isOpen = isRecord(found);
    if (isOpen) delete open[packed];
    if (isOpen || value[packed] !== undefined) open[isOpen ? plain : packed] = found;
    else if (value[plain] !== undefined) open[plain] = openedText(value[plain], false);
  }
  return open;
}
