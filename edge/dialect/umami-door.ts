// Umami's paths, and the answers its script reads.
import { clientEventsMax } from "../../shared/limits.ts";
import { decodeJson, readUtf8 } from "../decode-json.ts";
import { isRecord } from "../schema.ts";
import { namedBy } from "./alias.ts";
import type { Asked, Door } from "./door.ts";
import { umami } from "./umami.ts";

const read = ({ body }: Asked) => namedBy(decodeJson(readUtf8(body), undefined, clientEventsMax), websiteOf);

export const umamiDoor: Door = {
  dialect: umami,
  intakes: [
    {
      method: "POST",
      path: "/api/send",
      read,
      // Its server names a visitor by address and browser. Nothing here does, so the names mean nothing.
      answer: () =>
        Response.json({ cache: "", sessionId: crypto.randomUUID(), visitId: crypto.randomUUID() }),
    },
    {
      method: "POST",
      path: "/api/batch",
      read,
      answer: ({ received, quarantined }) =>
        Response.json({
          size: received,
          processed: received - quarantined,
          errors: quarantined,
          details: [],
        }),
    },
  ],
};

// A link or a pixel of Umami's has an id of its own in the website's place.
function websiteOf({ payload }: Readonly<Record<string, unknown>>): unknown {
  return isRecord(payload) ? (payload["website"] ?? payload["link"] ?? payload["pixel"]) : undefined;
}
