// A door: the paths a client calls, how its requests are taken apart, and what it takes for an answer.
import type { EventRefusal } from "../../shared/problem.ts";
import type { ClientFacts } from "../client.ts";
import type { Decoded } from "../decode.ts";
import type { Dialect } from "./dialect.ts";

/** A request as a door sees it; the body is unpacked and within its bound. */
export interface Asked {
  request: Request;
  url: URL;
  /** What the path's `:names` stand for. */
  params: Readonly<Record<string, string>>;
  /** Empty for GET. */
  body: Uint8Array;
  /** Epoch ms. */
  receivedAt: number;
  /** What the adapter knows of who asks. */
  client?: ClientFacts | undefined;
}

/** What became of a request: one outcome an event, all of them durable. */
export interface Receipt {
  /** Of its batches; one, unless the request was cut. */
  batchIds: readonly string[];
  received: number;
  accepted: number;
  duplicate: number;
  quarantined: number;
  errors: readonly EventRefusal[];
  requestId: string | undefined;
}

/** One path that takes events. */
export interface Intake {
  readonly method: "GET" | "POST";
  /** As Hono reads it. */
  readonly path: string;
  /** Takes a request apart. Throws a WeirError (`body_malformed`, `too_many_events` …), and nothing else. */
  read(asked: Asked): Decoded;
  /** What the client takes for "all of it is safe". */
  answer(receipt: Receipt, asked: Asked): Response;
  /**
   * What the client takes for an error; a problem (RFC 9457) where there is none. What may succeed later
   * must never be answered with a status that the client takes as final.
   */
  refuse?(error: unknown, requestId: string | undefined): Response;
  /** Work after the answer that no answer waits for, such as a copy to elsewhere. Never rejects. */
  afterwards?(asked: Asked): Promise<void>;
}

/** One path that a client calls for something other than events. */
export interface Aside {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** `readBody` reads the body within its bound. */
  answer(
    request: Request,
    params: Readonly<Record<string, string>>,
    readBody: () => Promise<Uint8Array>,
    client: ClientFacts | undefined,
  ): Response | Promise<Response>;
}

export interface Door {
  readonly dialect: Dialect;
  readonly intakes: readonly Intake[];
  readonly asides?: readonly Aside[];
  /** The client sends cookies along, which a browser allows only where the answer says so; none is read. */
  readonly credentials?: boolean;
}
