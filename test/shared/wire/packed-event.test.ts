// An event's opaque form: every field comes back, and bytes that are no event are told apart.
import { describe, expect, it } from "vitest";
import { toHex } from "../../../shared/event/bytes.ts";
import type { EventFields } from "../../../shared/event/event.ts";
import { identityKinds } from "../../../shared/event/identity.ts";
import { pack, unpack } from "../../../shared/wire/msgpack.ts";
import { packEvent, unpackEvent } from "../../../shared/wire/packed-event.ts";

const full: EventFields = {
  identity: "event_id",
  clientTime: 1_795_176_000_123,
  type: "purchase",
  version: 2,
  eventId: "e-1",
  aggregateId: "a-1",
  userId: "u-1",
  anonymousId: "n-1",
  sessionId: "s-1",
  streamId: "st-1",
  seq: 2 ** 53 - 1,
  country: "Österreich",
  city: "Zürich 😀",
  device: "phone",
  appVersion: "1.2.3",
  revenue: "12345678901234567890.01",
  currency: "EUR",
  payload: '{"a":1}',
  context: "{}",
  metadata: "{}",
  clockOffsetMs: -5,
};
const nulls = Object.fromEntries(
  Object.entries(full).map(([name, value]) => {
    return [
      name,
      ["identity", "type", "version", "payload", "context", "metadata"].includes(name) ? value : null,
    ];
  }),
) as unknown as EventFields;

describe("a packed event", () => {
  it.each(identityKinds)("of the kind %s is read back whole", (identity) => {
    expect(unpackEvent(packEvent({ ...full, identity }))).toEqual({ ...full, identity });
  });

  it("keeps what is absent absent", () => {
    expect(unpackEvent(packEvent(nulls))).toEqual(nulls);
  });

  it.each([
    ["no msgpack", Uint8Array.of(0xc1)],
    ["another version", pack([2, 0, null, "t"])],
    ["no list", pack({ type: "t" })],
    ["an unknown kind", pack([1, 99, null, "t"])],
    ["no type", pack([1, 0, null, null])],
    ["cut off", packEvent(full).subarray(0, 40)],
  ])("that is %s is told apart", (_, wire) => {
    expect(() => unpackEvent(wire)).toThrow();
  });
});

it("is plain msgpack, without an extension", () => {
  expect(toHex(pack({ a: [1, "b", null, new Uint8Array([1])] }))).toBe("81a1619401a162c0c40101");
  expect(unpack(Uint8Array.of(0x81, 0xa1, 0x61, 0x01))).toEqual({ a: 1 });
});
