// What a project asks of every edge: who may send, what is kept of a person, and what may not be kept at all.
import * as z from "zod/mini";
import { governedTypesMax } from "../limits.ts";
import { governedShape } from "./governed.ts";

/** What a scan for personal content looks for. */
export const contentKinds = ["email", "phone", "card"] as const;
export type ContentKind = (typeof contentKinds)[number];

/** Every part has a default, so that an edge reads the policy of an older or newer aggregator too. */
export const policyShape = z.object({
  /** Origins a browser may send from, `https://shop.example` or `https://*.shop.example`; empty is any. */
  origins: z._default(z.array(z.string()).check(z.maxLength(100)), []),
  /** True lets a body state the IP address, country, city and device of its client; else the adapter alone does. */
  takes_client_context: z._default(z.boolean(), false),
  /** Events a UTC day the collector takes of the project; null is without bound. */
  quota_events_per_day: z._default(z.nullable(z.int().check(z.minimum(1))), null),
  /** `honour` keeps, where the request says Sec-GPC: 1 or DNT: 1, only events that say `consent: "granted"`. */
  gpc: z._default(z.enum(["honour", "ignore"]), "honour"),
  /** `required` takes only events whose context says `consent: "granted"`, or whose key says it for them. */
  consent: z._default(z.enum(["required", "assumed"]), "assumed"),
  /** What is kept of an IP address: nothing, its network (/24, /48), or all of it. */
  ip: z._default(z.enum(["drop", "truncate", "keep"]), "drop"),
  /** Secrets user and anonymous ids are hashed with after identity, newest first; empty keeps them as sent. */
  pseudonym_keys: z._default(
    z
      .array(
        z.object({
          id: z.string().check(z.regex(/^[\w-]{1,32}$/)),
          secret: z.string().check(z.minLength(16), z.maxLength(512)),
        }),
      )
      .check(z.maxLength(8)),
    [],
  ),
  /** Names of payload, context and metadata members that are left out, at any depth. */
  denied_properties: z._default(
    z.array(z.string().check(z.minLength(1), z.maxLength(256))).check(z.maxLength(200)),
    [],
  ),
  scan: z._default(
    z.object({
      action: z._default(z.enum(["off", "mask", "quarantine"]), "off"),
      kinds: z._default(z.array(z.enum(contentKinds)), [...contentKinds]),
    }),
    { action: "off", kinds: [...contentKinds] },
  ),
  /** The event types it has declared; they are kept apart from the rest, and never set with it. */
  governed_types: z._default(z.array(governedShape).check(z.maxLength(governedTypesMax)), []),
});

export type Policy = z.output<typeof policyShape>;

/** The policy of a project that has asked for nothing. */
export const defaultPolicy: Policy = z.parse(policyShape, {});
