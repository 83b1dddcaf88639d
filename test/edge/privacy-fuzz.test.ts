// Whatever an event is, a strict policy lets no content of a person through, and never changes who the event is.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fixedKeys } from "../../edge/keys.ts";
import { policyShape } from "../../shared/event/policy.ts";
import type { Batch } from "../../shared/wire/batch.ts";
import { pack } from "../../shared/wire/msgpack.ts";
import { keyOf, now, testEdge, writeKey } from "./support.ts";

const numRuns = process.env["WEIR_TEST_LONG"] === "1" ? 100_000 : 3_000;
const timeout = 20 * 60_000;
const keys = [{ id: "1", secret: "the only secret of this project" }];
const email = "ada.lovelace@example.com";
const card = "4111 1111 1111 1111";
const id = "person-4711";

const leaves = fc.oneof(
  fc.constantFrom<unknown>(email, card, id, `to ${email}, ${card}`, 4111111111111111, 4711, null, true, 1.5),
  fc.constantFrom<unknown>("2026-11-20T12:00:00Z", now, 1e21, "", "\ud800", "\0", "x".repeat(300)),
  fc.string({ maxLength: 5 }),
);
const names = fc.oneof(
  fc.constantFrom(
    "secret",
    "Secret",
    "phone",
    "revenue",
    "consent",
    "country",
    "ip",
    email,
    id,
    "a",
    "__proto__",
    "1",
  ),
  fc.string({ maxLength: 3 }),
);
const object = fc.dictionary(
  names,
  fc.oneof(leaves, fc.array(leaves, { maxLength: 3 }), fc.dictionary(names, leaves)),
  {
    maxKeys: 4,
  },
);
const fields = [
  ...[
    "event_id",
    "type",
    "user_id",
    "anonymous_id",
    "session_id",
    "stream_id",
    "seq",
    "timestamp",
    "version",
  ],
  ...["aggregate_id", "payload", "context", "metadata", "sent_at", "colour", email],
];
const event = fc
  .record({
    base: fc.constantFrom<object>({ type: "t" }, { type: "t", event_id: "e", user_id: id }, {}),
    more: fc.dictionary(fc.constantFrom(...fields), fc.oneof(leaves, object), { maxKeys: 6 }),
  })
  .map(({ base, more }) => ({ ...base, ...more }));

async function edge(policy: object) {
  const policies = { shop: policyShape.parse(policy) };
  const { app, collector } = await testEdge({ keys: fixedKeys([await keyOf(writeKey)], policies) });
  return async (body: BodyInit, contentType: string) => {
    const headers = { authorization: `Bearer ${writeKey}`, "content-type": contentType };
    const response = await app.request("/v1/events", { method: "POST", headers, body });
    const answer = await response.text();
    return { status: response.status, answer, batch: collector.batches.splice(0)[0] };
  };
}

const everything = (batch: Batch): string =>
  Buffer.from(batch.bodies).toString("latin1") + JSON.stringify(batch.refusals);

const formats = fc.constantFrom("application/json", "application/x-ndjson", "application/msgpack");
const bodyOf = (events: readonly object[], format: string): BodyInit => {
  if (format === "application/json") return JSON.stringify({ events });
  if (format === "application/msgpack") return pack({ events }) as Uint8Array<ArrayBuffer>;
  return `${events.map((one) => JSON.stringify(one)).join("\n")}\n{"type":"${email}\n`;
};

describe.each(["mask", "quarantine"] as const)("under a policy that scans to %s", (action) => {
  it("nothing that is looked for is sent on or told, in whatever place it came", { timeout }, async () => {
    const strict = await edge({
      ...{ pseudonym_keys: keys, denied_properties: ["secret"], gpc: "ignore" },
      scan: { action },
    });
    const plain = await edge({ gpc: "ignore" });
    const property = fc.asyncProperty(
      fc.array(event, { minLength: 1, maxLength: 4 }),
      formats,
      async (events, format) => {
        const body = bodyOf(events, format);
        const [hidden, shown] = await Promise.all([strict(body, format), plain(body, format)]);
        expect(hidden.status).toBe(shown.status);
        expect(hidden.status).toBeLessThan(500);
        if (hidden.batch === undefined || shown.batch === undefined) return;
        const told = everything(hidden.batch) + hidden.answer;
        for (const secret of [email, card]) expect(told).not.toContain(secret);
        if (!events.some(countsByCard)) expect(told).not.toContain("4111111111111111");
        // Who an event is does not depend on what is kept of it; one refused by the policy alone keeps its hash.
        const both = [hidden.batch, shown.batch].map(
          ({ refusals }) => new Map(refusals.map((one) => [one.index, one])),
        );
        for (let index = 0; index < shown.batch.count; index += 1) {
          if (both[1]!.has(index)) {
            expect(both[0]!.get(index)?.code).toBe(both[1]!.get(index)?.code);
            continue;
          }
          const [one, two] = [hidden.batch, shown.batch].map(({ hashes, fingerprints }) => [
            Buffer.from(hashes.slice(index * 16, index * 16 + 16)).toString("hex"),
            Buffer.from(fingerprints.slice(index * 8, index * 8 + 8)).toString("hex"),
          ]);
          const isArrival = !["event_id", "stream_id", "timestamp"].some((name) =>
            Object.hasOwn(events[index]!, name),
          );
          if (!isArrival && !isByPlace(events[index]!)) expect(one).toEqual(two);
        }
        const isPerson = events.every((each) => (each as { user_id?: unknown }).user_id === id);
        const isReadable = format !== "application/x-ndjson";
        if (isPerson && isReadable) expect(told).not.toMatch(new RegExp(`[":]${id}"`));
      },
    );
    await fc.assert(property, { numRuns });
  });
});

// A field that counts holds a count, whatever it looks like.
const countsByCard = (each: object): boolean =>
  ["seq", "version", "timestamp", "sent_at"].some((name) =>
    JSON.stringify(each[name as never] ?? 0).includes("4111"),
  );

// Without an id, a time or a place in a stream an event is known by its place in its batch, which is new each time.
const isByPlace = (each: {
  event_id?: unknown;
  stream_id?: unknown;
  seq?: unknown;
  timestamp?: unknown;
}): boolean =>
  typeof each.event_id !== "string" &&
  !(typeof each.stream_id === "string" && typeof each.seq === "number") &&
  (each.timestamp === undefined || each.timestamp === null);
