// Puts events into requests and sends some of them once more, later, in another request.
import { bodyBytesMax } from "../../../shared/limits.ts";
import type { LoadEvent } from "./load-events.ts";

/** One request. `copies` are events that an earlier request held. */
export interface LoadRequest {
  number: number;
  originals: readonly LoadEvent[];
  copies: readonly LoadEvent[];
}

export interface PlanOptions {
  /** Events in a request, copies included. */
  batch: number;
  /** Share of the good events that get one extra copy, 0 to 1. */
  duplicate: number;
  random: () => number;
}

/** A copy comes within so many events of its original: what waits here stays in memory. */
const copyWithinEvents = 5000;
/** The frame around the events, `{"events":[` and `]}`, and room to spare. */
const frameBytes = 64;

/** The next request, or undefined when everything, copies too, has been given out. */
export type NextRequest = () => Promise<LoadRequest | undefined>;

/** Requests are numbered from 0. `events` is drawn from only as requests are asked for. */
export function planRequests(
  events: AsyncIterator<LoadEvent> | Iterator<LoadEvent>,
  options: PlanOptions,
): NextRequest {
  const within = Math.max(1, Math.floor(copyWithinEvents / options.batch));
  const waiting: { due: number; event: LoadEvent }[] = [];
  let held: LoadEvent | undefined;
  let isDry = false;
  let number = 0;

  const draw = async (): Promise<LoadEvent | undefined> => {
    const kept = held;
    held = undefined;
    if (kept !== undefined || isDry) return kept;
    const next = await events.next();
    isDry = next.done === true;
    return next.done === true ? undefined : next.value;
  };

  return async () => {
    const request = { number, originals: [] as LoadEvent[], copies: [] as LoadEvent[] };
    let bytes = frameBytes;
    const room = (): number => options.batch - request.originals.length - request.copies.length;
    // Half a request at most, or copies could keep the originals waiting for ever.
    const copiesMax = isDry && held === undefined ? options.batch : Math.ceil(options.batch / 2);
    for (let at = 0; at < waiting.length && request.copies.length < copiesMax; ) {
      const { due, event } = waiting[at]!;
      const fits = bytes + sizeOf(event) <= bodyBytesMax;
      if (fits && (due <= number || isDry)) {
        request.copies.push(event);
        bytes += sizeOf(event);
        waiting.splice(at, 1);
      } else at += 1;
    }
    while (room() > 0) {
      const event = await draw();
      if (event === undefined) break;
      if (bytes + sizeOf(event) > bodyBytesMax) {
        held = event;
        break;
      }
      request.originals.push(event);
      bytes += sizeOf(event);
      if (!event.isBad && options.random() < options.duplicate)
        waiting.push({ due: number + 1 + Math.floor(options.random() * within), event });
    }
    if (request.originals.length + request.copies.length === 0) return undefined;
    number += 1;
    return request;
  };
}

const sizeOf = (event: LoadEvent): number => Buffer.byteLength(event.json) + 1;

/** The body of a request: originals, then copies. */
export const requestBody = (request: LoadRequest): string =>
  `{"events":[${[...request.originals, ...request.copies].map((event) => event.json).join(",")}]}`;
