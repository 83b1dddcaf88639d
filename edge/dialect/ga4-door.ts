// The Measurement Protocol's path. Its clients take no notice of an answer, but 204 is given for what is safe alone.
import { clientEventsMax } from "../../shared/limits.ts";
import { WeirError } from "../../shared/problem.ts";
import type { Decoded } from "../decode.ts";
import { decodeJson, readUtf8, suspectNumber } from "../decode-json.ts";
import { eventPlaces, unfitNumber } from "../json-places.ts";
import { isRecord } from "../schema.ts";
import type { Asked, Door } from "./door.ts";
import { ga4, shared } from "./ga4.ts";

export const ga4Door: Door = {
  dialect: ga4,
  intakes: [{ method: "POST", path: "/mp/collect", read, answer: () => new Response(null, { status: 204 }) }],
};

const encoder = new TextEncoder();

function read({ url, body }: Asked): Decoded {
  const text = readUtf8(body);
  const { members, isAlone, ...read } = decodeJson(text, "events", clientEventsMax);
  if (isAlone) throw new WeirError("body_malformed", "The body has no `events`.");
  const common = Object.fromEntries(
    shared.flatMap((name) => (Object.hasOwn(members, name) ? [[name, members[name]]] : [])),
  );
  if (suspectNumber.test(text) && isUnfitBeside(text)) {
    throw new WeirError(
      "body_malformed",
      "A number beside the events does not survive a double; send it as text.",
    );
  }
  const events = read.events.map((event) => (isRecord(event) ? { ...common, ...event } : event));
  const original = (index: number): Uint8Array =>
    read.faults.has(index) || !isRecord(events[index])
      ? read.original(index)
      : encoder.encode(JSON.stringify(events[index]));
  // The secret stands in the query by Google's design. It is never logged.
  return {
    ...read,
    events,
    original,
    sentAt: undefined,
    writeKey: url.searchParams.get("api_secret") ?? undefined,
  };
}

// Numbers in events are looked at with their events.
function isUnfitBeside(text: string): boolean {
  const places = eventPlaces(text, "events");
  const [from, to] = [places[0]?.[0], places.at(-1)?.[1]];
  const beside = from === undefined || to === undefined ? text : text.slice(0, from) + text.slice(to);
  return unfitNumber(beside, 0, beside.length) !== undefined;
}
