// Plausible's wire format: one event with neither an id, a time nor a visitor, under short or long names.
import { clientEventsMax } from "../../shared/limits.ts";
import { decodeJson, readUtf8 } from "../decode-json.ts";
import { EventFault } from "../fault.ts";
import { isRecord } from "../schema.ts";
import { namedBy } from "./alias.ts";
import type { Dialect } from "./dialect.ts";
import type { Door } from "./door.ts";
import { jsonWithin, members, moneyFault, openedText } from "./values.ts";

type Value = Readonly<Record<string, unknown>>;

/** What its script sends, and what its documented API takes for the same. */
const longNames: Readonly<Record<string, string>> = {
  ...{ n: "name", u: "url", d: "domain", r: "referrer", p: "props", $: "revenue", i: "interactive" },
  ...{ h: "hash_routing", sd: "scroll_depth", e: "engaged_ms", v: "tracker_version", w: "screen_width" },
};

/** Members that older scripts send as a text of JSON. */
const mayBeText = new Set(["p", "props", "$", "revenue"]);

const plausible: Dialect = {
  name: "plausible",
  toNative,
  nameOf(field, value = {}) {
    const long = field === "type" ? "name" : field === "payload" ? "props" : field;
    return given(value, long)[0];
  },
  identity: "native",
  opened: (value) =>
    Object.fromEntries(
      Object.entries(value).map(([name, member]) => [
        name,
        mayBeText.has(name) ? openedText(member, false) : member,
      ]),
    ),
};

export const plausibleDoor: Door = {
  dialect: plausible,
  intakes: [
    {
      method: "POST",
      path: "/api/event",
      read: ({ body }) => namedBy(decodeJson(readUtf8(body), undefined, clientEventsMax), domainOf),
      answer: () =>
        new Response("ok", { status: 202, headers: { "content-type": "text/plain; charset=utf-8" } }),
    },
  ],
};

const domainOf = (event: Value): unknown => given(event, "domain")[1];

// A member by its long name: the name the client used, and what it holds.
function given(value: Value, long: string): [name: string, member: unknown] {
  const short = Object.keys(longNames).find((name) => longNames[name] === long);
  return short !== undefined && value[long] === undefined && value[short] !== undefined
    ? [short, value[short]]
    : [long, value[long]];
}

function toNative(value: Value): Value | EventFault {
  const left = new Map(Object.entries(value).map(([name, member]) => [nameIn(value, name), member]));
  const take = (name: string): unknown => {
    const member = left.get(name) ?? undefined;
    left.delete(name);
    return member;
  };
  const name = take("name");
  const props = propsOf(take("props"), value);
  if (props instanceof EventFault) return props;
  const money = moneyIn(take("revenue"), value);
  if (money instanceof EventFault) return money;
  const isEngagement = name === "engagement";
  const about = members({
    url: take("url"),
    referrer: take("referrer"),
    scroll_depth: isEngagement ? take("scroll_depth") : undefined,
    engaged_ms: isEngagement ? take("engaged_ms") : undefined,
  });
  const isView = name === "pageview";
  const ofPage = isView || isEngagement;
  return {
    type: isView ? "page_view" : name,
    payload: { ...props, ...(ofPage ? about : {}), ...money },
    context: {
      ...Object.fromEntries(left),
      ...(ofPage || Object.keys(about).length === 0 ? {} : { page: about }),
      source_type: name,
    },
  };
}

const nameIn = (value: Value, name: string): string => {
  const long = Object.hasOwn(longNames, name) ? longNames[name]! : name;
  // Should both be there, the short one keeps its own name.
  return long !== name && Object.hasOwn(value, long) ? name : long;
};

// Older scripts send the properties as a text of JSON.
function propsOf(props: unknown, value: Value): Value | EventFault {
  const [name] = given(value, "props");
  const found = typeof props === "string" && props !== "" ? jsonWithin(props, name, false) : { value: props };
  if (found instanceof EventFault) return found;
  if (found.value === undefined || found.value === null || found.value === "") return {};
  return isRecord(found.value)
    ? found.value
    : new EventFault("invalid_type", `/${name}`, "It must be an object.");
}

function moneyIn(revenue: unknown, value: Value): Value | EventFault {
  if (revenue === undefined) return {};
  const [name] = given(value, "revenue");
  const found = typeof revenue === "string" ? jsonWithin(revenue, name, false) : { value: revenue };
  if (found instanceof EventFault) return found;
  if (!isRecord(found.value)) return new EventFault("invalid_type", `/${name}`, "It must be an object.");
  const { amount, currency, ...rest } = found.value;
  const money = members({ revenue: amount, currency, ...rest });
  return moneyFault(money, `/${name}/amount`) ?? money;
}
