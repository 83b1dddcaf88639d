// What a project asks of every edge: who may send, what is kept of a person, and what may not be kept at all.
import { z } from "zod";

/** What a scan for personal content looks for. */
export const contentKinds = ["email", "phone", "card"] as const;
export type ContentKind = (typeof contentKinds)[number];

/** Every part has a default, so that an edge reads the policy of an older or newer aggregator too. */
export const policyShape = z.object({
  /** Origins a browser may send from, `https://shop.example` or `https://*.shop.example`; empty is any. */
  origins: z.array(z.string()).max(100).default([]),
  /** True lets a body state the IP address, country, city and device of its client; else the adapter alone does. */
  takes_client_context: z.boolean().default(false),
  /** Events a UTC day the collector takes of the project; null is without bound. */
  quota_events_per_day: z.number().int().min(1).nullable().default(null),
  /** `honour` keeps nothing of an event whose request says Sec-GPC: 1 or DNT: 1 but that it came. */
  gpc: z.enum(["honour", "ignore"]).default("honour"),
  /** `required` takes only events whose context says `consent: "granted"`. */
  consent: z.enum(["required", "assumed"]).default("assumed"),
  /** What is kept of an IP address: nothing, its network (/24, /48), or all of it. */
  ip: z.enum(["drop", "truncate", "keep"]).default("drop"),
  /** Secrets user and anonymous ids are hashed with after identity, newest first; empty keeps them as sent. */
  pseudonym_keys: z
    .array(z.object({ id: z.string().min(1).max(32), secret: z.string().min(16) }))
    .max(8)
    .default([]),
  /** Names of payload, context and metadata members that are left out, at any depth. */
  denied_properties: z.array(z.string().min(1)).max(200).default([]),
  scan: z
    .object({
      action: z.enum(["off", "mask", "quarantine"]).default("off"),
      kinds: z.array(z.enum(contentKinds)).default([...contentKinds]),
    })
    .default({ action: "off", kinds: [...contentKinds] }),
});

export type Policy = z.output<typeof policyShape>;

/** The policy of a project that has asked for nothing. */
export const defaultPolicy: Policy = policyShape.parse({});
