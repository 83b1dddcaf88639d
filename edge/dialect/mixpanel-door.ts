// Mixpanel's paths: forms with JSON or base64 in them, plain JSON, and pixels.
import { clientEventsMax } from "../../shared/limits.ts";
import { WeirError } from "../../shared/problem.ts";
import type { Decoded } from "../decode.ts";
import { decodeJson, readUtf8 } from "../decode-json.ts";
import { isRecord } from "../schema.ts";
import { namedBy } from "./alias.ts";
import type { Asked, Door, Intake, Receipt } from "./door.ts";
import { mixpanel } from "./mixpanel.ts";
import { base64Bytes } from "./values.ts";

const paths = ["/track", "/engage", "/groups"].flatMap((path) => [path, `${path}/`]);

// Its clients drop at any status but 200, 413, 429 and from 500 on, which is what a problem has; they do not
// read what an error says.
export const mixpanelDoor: Door = {
  dialect: mixpanel,
  credentials: true,
  intakes: paths.flatMap((path): Intake[] => [
    { method: "POST", path, read, answer },
    { method: "GET", path, read, answer },
  ]),
};

function read({ request, url, body }: Asked): Decoded {
  const text = request.method === "GET" ? dataOf(url.searchParams) : fromBody(readUtf8(body));
  const named = namedBy(decodeJson(text, undefined, clientEventsMax), tokenOf);
  return { ...named, alias: undefined, writeKey: named.alias };
}

// A beacon's form comes as text/plain, so the content tells.
const fromBody = (text: string): string => (/^\s*[[{]/.test(text) ? text : dataOf(new URLSearchParams(text)));

function dataOf(form: URLSearchParams): string {
  const data = form.get("data") ?? "";
  if (/^\s*[[{]/.test(data)) return data;
  // A plus sign that was not escaped has become a space.
  const bytes = base64Bytes(data.replaceAll(" ", "+"));
  if (bytes === undefined || bytes.length === 0) {
    throw new WeirError("body_malformed", "`data` is neither JSON nor base64.");
  }
  return readUtf8(bytes);
}

function tokenOf(event: Readonly<Record<string, unknown>>): unknown {
  const properties = isRecord(event["properties"]) ? event["properties"] : {};
  return properties["token"] ?? event["$token"] ?? event["token"];
}

function answer(_: Receipt, { url }: Asked): Response {
  return url.searchParams.get("verbose") === "1"
    ? Response.json({ status: 1, error: null })
    : new Response("1", { headers: { "content-type": "text/plain" } });
}
