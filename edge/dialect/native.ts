// Our own wire format, and the door of every format that is sent and answered as ours is.
import { requestEventsMax } from "../../shared/limits.ts";
import { decode, formatOf } from "../decode.ts";
import type { Dialect } from "./dialect.ts";
import type { Door, Receipt } from "./door.ts";

export const native: Dialect = {
  name: "native",
  toNative: (value) => value,
  nameOf: (field) => field,
  identity: "native",
};

export const nativeDoor: Door = plainDoor(native, "/v1/events");

/** A door for bodies `{ events, sent_at?, write_key? }`, lists and single events, answered with the receipt. */
export function plainDoor(dialect: Dialect, path: string): Door {
  return {
    dialect,
    intakes: [
      {
        method: "POST",
        path,
        read: ({ request, body }) =>
          decode(body, formatOf(request.headers.get("content-type")), requestEventsMax),
        answer: accepted,
      },
    ],
  };
}

/** The receipt whole, as our own clients read it. */
export function accepted({ batchIds, requestId, ...receipt }: Receipt): Response {
  const body = {
    batch_id: batchIds[0],
    ...(batchIds.length > 1 ? { batch_ids: batchIds } : {}),
    ...receipt,
  };
  return Response.json(body, {
    status: 202,
    headers: requestId === undefined ? {} : { "x-request-id": requestId },
  });
}
