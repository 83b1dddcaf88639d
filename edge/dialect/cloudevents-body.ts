// A CloudEvents request over HTTP in any of its three modes: binary, structured or batched.
import { clientEventsMax } from "../../shared/limits.ts";
import { WeirError } from "../../shared/problem.ts";
import type { Decoded } from "../decode.ts";
import { decodeJson, readUtf8 } from "../decode-json.ts";
import type { Asked } from "./door.ts";

const attributePrefix = "ce-";
const jsonTypes = ["application/cloudevents+json", "application/cloudevents-batch+json"];

/**
 * Takes a request apart. Source: http-protocol-binding.md 3. A binary event is written as the structured
 * one it is equal to, which also is what is kept of it should it be refused. Throws
 * `unsupported_media_type`, `body_malformed` and `too_many_events`.
 */
export function readCloudEvents({ request, url, body }: Asked): Decoded {
  const contentType = request.headers.get("content-type") ?? "";
  const type = contentType.replace(/;.*/s, "").trim().toLowerCase();
  const isBinary = !type.startsWith("application/cloudevents") && hasAttributes(request.headers);
  if (!isBinary && !jsonTypes.includes(type) && !["", "application/json"].includes(type)) {
    throw new WeirError(
      "unsupported_media_type",
      "Send application/cloudevents+json, application/cloudevents-batch+json, or the attributes as ce- headers.",
    );
  }
  const text = isBinary ? structured(request.headers, contentType, body) : readUtf8(body);
  const { members: _, ...read } = decodeJson(text, undefined, clientEventsMax);
  // A producer that cannot set headers sends its key in this place: CloudEvents' http-webhook.md 3.2.
  return { ...read, sentAt: undefined, writeKey: url.searchParams.get("access_token") ?? undefined };
}

function hasAttributes(headers: Headers): boolean {
  return ["id", "source", "type", "specversion"].some((name) => headers.has(`${attributePrefix}${name}`));
}

function structured(headers: Headers, contentType: string, body: Uint8Array): string {
  const members: string[] = [];
  const add = (name: string, json: string): void => {
    members.push(`${JSON.stringify(name)}:${json}`);
  };
  for (const [name, value] of headers) {
    if (!name.startsWith(attributePrefix)) continue;
    add(name.slice(attributePrefix.length), JSON.stringify(unescaped(value)));
  }
  if (contentType !== "") add("datacontenttype", JSON.stringify(contentType));
  const data = dataOf(contentType, body);
  if (data !== undefined) add(...data);
  return `{${members.join(",")}}`;
}

// Header values are percent-encoded UTF-8; a producer that does not encode may send a lone `%`.
function unescaped(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

const jsonType = /^[^;]*[/+]json\s*(;|$)/i;

// JSON keeps its own text, so that no number passes through a double unseen. Text that is announced as JSON
// and is none is kept as text: a known client sends a bare string so, and takes no refusal notice.
function dataOf(contentType: string, body: Uint8Array): [name: string, json: string] | undefined {
  if (body.length === 0) return undefined;
  const isJson = contentType === "" || jsonType.test(contentType);
  const text = isJson || /^text\//i.test(contentType) ? utf8Of(body) : undefined;
  if (text === undefined) return ["data_base64", JSON.stringify(base64Of(body))];
  return ["data", isJson && isJsonText(text) ? text : JSON.stringify(text)];
}

const decoder = new TextDecoder("utf-8", { fatal: true });

function utf8Of(body: Uint8Array): string | undefined {
  try {
    return decoder.decode(body);
  } catch {
    return undefined;
  }
}

function isJsonText(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function base64Of(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
