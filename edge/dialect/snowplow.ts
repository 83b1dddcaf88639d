// Snowplow's tracker protocol: one event as a flat object of short names, with JSON inside some of its texts.
import { readTime } from "../../shared/event/time.ts";
import { EventFault } from "../fault.ts";
import { isRecord } from "../schema.ts";
import type { Dialect } from "./dialect.ts";
import { entitiesOf, opened, type SelfDescribing, selfDescribing } from "./snowplow-json.ts";
import { epochOf, idOf, moneyFault, numberOf } from "./values.ts";

type Value = Readonly<Record<string, unknown>>;
/** Takes a member out of what is left of an event. */
type Take = (name: string) => unknown;

/** Kinds that are described by their own fields: our type, and which of them go into the payload as what. */
const kinds: Readonly<Record<string, { type: string; fields: Readonly<Record<string, string>> }>> = {
  pv: { type: "page_view", fields: { url: "url", page: "title", refr: "referrer" } },
  pp: {
    type: "page_ping",
    fields: {
      ...{ url: "url", page: "title", refr: "referrer" },
      ...{ pp_mix: "min_x", pp_max: "max_x", pp_miy: "min_y", pp_may: "max_y" },
    },
  },
  tr: {
    type: "transaction",
    fields: {
      ...{ tr_id: "transaction_id", tr_af: "affiliation", tr_tt: "revenue", tr_tx: "tax", tr_sh: "shipping" },
      ...{ tr_ci: "city", tr_st: "state", tr_co: "country", tr_cu: "currency" },
    },
  },
  ti: {
    type: "transaction_item",
    fields: {
      ...{ ti_id: "transaction_id", ti_sk: "sku", ti_nm: "name", ti_ca: "category" },
      ...{ ti_pr: "price", ti_qu: "quantity", ti_cu: "currency" },
    },
  },
  // Its action says what happened, as the name of a self-describing event does.
  se: {
    type: "",
    fields: { se_ca: "category", se_ac: "action", se_la: "label", se_pr: "property", se_va: "value" },
  },
};
const numbers = new Set([
  "min_x",
  "max_x",
  "min_y",
  "max_y",
  "value",
  "price",
  "quantity",
  "tax",
  "shipping",
]);

export const snowplow: Dialect = {
  name: "snowplow",
  toNative,
  nameOf,
  identity: "native",
  eventIdOf: (value) => idOf(value["eid"]),
  opened,
};

function toNative(value: Value): Value | EventFault {
  const kind = value["e"];
  if (kind === undefined || kind === null)
    return new EventFault("missing_field", "/e", "The field is needed.");
  const known = typeof kind === "string" && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
  if (known === undefined && kind !== "ue") {
    return new EventFault("invalid_value", "/e", "It must be one of pv, pp, se, tr, ti and ue.");
  }
  const left = new Map(Object.entries(value));
  const take: Take = (name) => {
    const found = left.get(name);
    left.delete(name);
    return found;
  };
  take("e");
  const described = known === undefined ? selfDescribing(value, take) : undefined;
  if (described instanceof EventFault) return described;
  const entities = entitiesOf(value, take);
  if (entities instanceof EventFault) return entities;
  const sentAt = epochOf(take("stm"));
  const ownTime = idOf(take("ttm"));
  const native = {
    event_id: idOf(take("eid")),
    type: described?.name ?? (known?.type || value["se_ac"]),
    version: described?.version,
    timestamp: epochOf(ownTime ?? idOf(take("dtm"))),
    sent_at: isTime(sentAt) ? sentAt : undefined,
    user_id: idOf(take("uid")),
    anonymous_id: idOf(take("duid")) ?? idOf(take("nuid")),
    session_id: idOf(take("sid")),
    payload: described === undefined ? fieldsOf(known!.fields, take) : paid(described.data, entities),
  };
  if (native.type === undefined) return new EventFault("missing_field", "/se_ac", "The field is needed.");
  // The place inside a text is no place a pointer could name.
  const fault = moneyFault(native.payload, `/${kind === "tr" ? "tr_tt" : nameOf("payload", value)}`);
  if (fault !== undefined) return fault;
  return { ...native, context: contextOf(left, take, entities, described?.schema ?? String(kind)) };
}

const isTime = (value: unknown): boolean =>
  (typeof value === "string" || typeof value === "number") && typeof readTime(value) === "number";

function fieldsOf(fields: Readonly<Record<string, string>>, take: Take): Value {
  const payload: Record<string, unknown> = {};
  for (const [short, name] of Object.entries(fields)) {
    const found = idOf(take(short));
    if (found !== undefined) payload[name] = numbers.has(name) ? numberOf(found) : found;
  }
  return payload;
}

// The e-commerce plugin tells what was paid in an entity beside the event.
function paid(data: unknown, entities: readonly SelfDescribing[]): unknown {
  if (!isRecord(data)) return data === undefined || data === null ? undefined : { data };
  const bought = entities.find(({ schema }) => schema.includes(".ecommerce/transaction/jsonschema/"))?.data;
  if (data["type"] !== "transaction" || data["revenue"] !== undefined || !isRecord(bought)) return data;
  const { revenue, currency } = bought;
  return {
    ...data,
    ...(revenue === undefined ? {} : { revenue }),
    ...(currency === undefined ? {} : { currency }),
  };
}

// What has no field of ours keeps Snowplow's name for it.
function contextOf(
  left: ReadonlyMap<string, unknown>,
  take: Take,
  entities: readonly SelfDescribing[],
  sourceType: string,
): Value {
  const page = fieldsOf({ url: "url", page: "title", refr: "referrer" }, take);
  const app = entities.find(({ schema }) => /\/application\/jsonschema\//.test(schema))?.data;
  const appVersion =
    isRecord(app) && typeof app["version"] === "string" ? { app_version: app["version"] } : {};
  return {
    ...appVersion,
    ...Object.fromEntries(left),
    ...(Object.keys(page).length === 0 ? {} : { page }),
    ...(entities.length === 0 ? {} : { entities }),
    source_type: sourceType,
  };
}

const names: Readonly<Record<string, string>> = {
  event_id: "eid",
  user_id: "uid",
  session_id: "sid",
  sent_at: "stm",
};

function nameOf(field: string, value: Value = {}): string {
  switch (field) {
    case "anonymous_id":
      return idOf(value["duid"]) === undefined ? "nuid" : "duid";
    case "timestamp":
      return idOf(value["ttm"]) === undefined ? "dtm" : "ttm";
    case "type":
      return value["e"] === "se" ? "se_ac" : nameOf("payload", value);
    case "payload":
    case "version":
      return value["ue_px"] === undefined ? "ue_pr" : "ue_px";
    default:
      return names[field] ?? field;
  }
}
