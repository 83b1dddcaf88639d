// What a project's policy does to events: after their identity, in what is stored and in what is refused.
import { describe, expect, it } from "vitest";
import { hash } from "../../edge/adapter/bun.ts";
import type { ClientFacts } from "../../edge/client.ts";
import { fixedKeys } from "../../edge/keys.ts";
import { keptAddress } from "../../edge/privacy/client-context.ts";
import { createReenter } from "../../edge/reenter.ts";
import { type EventFields, flag } from "../../shared/event/event.ts";
import { type Policy, policyShape } from "../../shared/event/policy.ts";
import { createPseudonym } from "../../shared/event/pseudonym.ts";
import type { KeyRight } from "../../shared/event/write-key.ts";
import type { Batch } from "../../shared/wire/batch.ts";
import { bodiesOf, fakeCollector, keyOf, now, testEdge, writeKey } from "./support.ts";

const keys = [
  { id: "2", secret: "the newest secret of the project" },
  { id: "1", secret: "an older secret of this project" },
];
const pseudonym = createPseudonym(keys[0]!);
const ada = { event_id: "1", type: "signup", user_id: "ada", timestamp: now };

async function edge(given: object | undefined, rights: readonly KeyRight[] = []) {
  const policies: Record<string, Policy> = given === undefined ? {} : { shop: policyShape.parse(given) };
  const found = await testEdge({ keys: fixedKeys([await keyOf(writeKey, "shop", rights)], policies) });
  const { app, collector } = found;
  const send = async (events: unknown, headers: Record<string, string> = {}, client?: ClientFacts) => {
    const init = {
      method: "POST",
      headers: { authorization: `Bearer ${writeKey}`, "content-type": "application/json", ...headers },
      body: typeof events === "string" ? events : JSON.stringify(events),
    };
    const response = await app.request("/v1/events", init, client === undefined ? {} : { client });
    return (await response.json()) as {
      accepted: number;
      duplicate: number;
      quarantined: number;
      errors: object[];
    };
  };
  const stored = (): (EventFields | string)[] => collector.batches.flatMap(bodiesOf);
  const last = (): EventFields => stored().at(-1) as EventFields;
  return { ...found, send, stored, last, batch: (): Batch => collector.batches.at(-1)! };
}

describe("what a request shows of its client", () => {
  const client: ClientFacts = { ip: "203.0.113.77", country: "DE", city: "Köln", device: "mobile" };
  const said = { ...ada, context: { country: "US", city: "Rome", device: "tv", ip: "198.51.100.1", a: 1 } };

  it("is taken from the adapter, and never from the body", async () => {
    const { send, last } = await edge({});
    await send(said, { "x-request-id": "r" }, client);
    expect(last()).toMatchObject({ country: "DE", city: "Köln", device: "mobile" });
    expect(JSON.parse(last().context)).toEqual({
      a: 1,
      country: "DE",
      city: "Köln",
      device: "mobile",
      request_id: "r",
    });
    await send({ ...said, event_id: "2" });
    expect(last()).toMatchObject({ country: null, city: null, device: null });
    expect(JSON.parse(last().context)).toMatchObject({ a: 1 });
    expect(last().context).not.toMatch(/Rome|US|tv|198/);
  });

  it.each([
    ["the project lets bodies say", { takes_client_context: true }, []],
    ["the key has the right", {}, ["client_context"]],
  ] as const)("is the body's where %s, and the adapter's for the rest", async (_, policy, rights) => {
    const { send, last } = await edge({ ...policy, ip: "truncate" }, rights);
    await send(said, {}, client);
    expect(last()).toMatchObject({ country: "US", city: "Rome", device: "tv" });
    expect(JSON.parse(last().context)).toMatchObject({ ip: "198.51.100.0", country: "US" });
    await send({ ...ada, event_id: "2", context: { country: "US" } }, {}, client);
    expect(last()).toMatchObject({ country: "US", city: null, device: "mobile" });
    await send({ ...ada, event_id: "3" }, {}, client);
    expect(last()).toMatchObject({ country: "DE", city: "Köln", device: "mobile" });
    expect(JSON.parse(last().context)).toMatchObject({ ip: "203.0.113.0" });
  });

  it("is as the body says where nobody has told of a policy", async () => {
    const { send, last } = await edge(undefined);
    await send(said);
    expect(JSON.parse(last().context)).toMatchObject(said.context);
  });

  it("marks a bot, and drops nothing", async () => {
    const { send, batch } = await edge({});
    expect(await send(ada, {}, { isBot: true, device: "bot" })).toMatchObject({ accepted: 1 });
    expect(batch().flags[0]! & flag.bot).toBe(flag.bot);
    await send({ ...ada, event_id: "2" }, {}, { isBot: false });
    expect(batch().flags[0]! & flag.bot).toBe(0);
  });

  it.each([
    ["203.0.113.77", "203.0.113.0", "203.0.113.77"],
    ["::ffff:203.0.113.77", "203.0.113.0", "203.0.113.77"],
    ["2001:db8:85a3:8d3:1319:8a2e:370:7348", "2001:db8:85a3::", "2001:db8:85a3:8d3:1319:8a2e:370:7348"],
    ["2001:DB8::1", "2001:db8:0::", "2001:db8::1"],
    ["fe80::1%eth0", "fe80:0:0::", "fe80::1"],
    ["::1", "0:0:0::", "::1"],
    ["999.0.0.1", null, null],
    ["2001:db8::1::2", null, null],
    ["ada@example.com", null, null],
    ["", null, null],
  ])("an address %s is truncated to %s", (text, truncated, kept) => {
    expect(keptAddress(text, "truncate")).toBe(truncated);
    expect(keptAddress(text, "keep")).toBe(kept);
    expect(keptAddress(text, "drop")).toBeNull();
  });
});

describe("consent", () => {
  const nothingOf = (found: Awaited<ReturnType<typeof edge>>) => {
    expect(found.stored()).toEqual(["{}"]);
    expect(found.batch().refusals[0]).toMatchObject({ code: "consent_missing", place: undefined });
    expect(Buffer.from(found.batch().bodies).toString()).not.toContain("ada");
  };

  it.each([{ "sec-gpc": "1" }, { dnt: "1" }])(
    "%j keeps nothing of an event but that it came",
    async (headers) => {
      const found = await edge({});
      const event = { type: "t", user_id: "ada", stream_id: "s", seq: 3 };
      expect(await found.send(event, headers as unknown as Record<string, string>)).toMatchObject({
        quarantined: 1,
      });
      nothingOf(found);
    },
  );

  it("is not asked of a project that passes it over", async () => {
    const { send } = await edge({ gpc: "ignore" });
    expect(await send(ada, { "sec-gpc": "1" })).toMatchObject({ accepted: 1 });
  });

  it("has to be granted where the project requires it, whatever else is wrong", async () => {
    const required = { consent: "required" };
    const { send } = await edge(required);
    expect(await send({ ...ada, context: { consent: "granted" } })).toMatchObject({ accepted: 1 });
    for (const event of [ada, { ...ada, context: { consent: "denied" } }, { ...ada, colour: "ada" }]) {
      const found = await edge(required);
      expect(await found.send(event)).toMatchObject({ quarantined: 1 });
      expect(found.stored()).toEqual(["{}"]);
    }
  });

  it.each([{ "sec-gpc": "1" }, { dnt: "1" }])(
    "given to this site outweighs %j, and only where the event says so",
    async (headers) => {
      const said = headers as unknown as Record<string, string>;
      for (const policy of [{}, { consent: "required" }]) {
        const found = await edge(policy, ["consent_taken"]);
        expect(await found.send({ ...ada, context: { consent: "granted" } }, said)).toMatchObject({
          accepted: 1,
        });
        expect(await found.send({ ...ada, event_id: "2" }, said)).toMatchObject({ quarantined: 1 });
        expect(found.stored().at(-1)).toBe("{}");
      }
    },
  );

  it("need not be said by each event of a key whose clients ask for it before they send", async () => {
    const found = await edge({ consent: "required" }, ["consent_taken"]);
    expect(await found.send(ada)).toMatchObject({ accepted: 1 });
    expect(await found.send({ ...ada, event_id: "2", colour: "red" })).toMatchObject({ quarantined: 1 });
    expect(found.stored().at(-1)).toContain("red");
  });
});

const content = {
  payload: { mail: "ada@example.com", note: "call +49 30 1234567", card: 4111111111111111, secret: { a: 1 } },
  context: { page: "https://x.example/?e=ada%40example.com", by: "ada-lovelace" },
  metadata: { list: ["4111 1111 1111 1111", { Secret: "x" }] },
};
const person = {
  event_id: "7",
  type: "t",
  user_id: "ada-lovelace",
  anonymous_id: "a-1",
  timestamp: now,
  ...content,
};
const strict = { pseudonym_keys: keys, denied_properties: ["secret"], scan: { action: "mask" } };

describe("what is stored", () => {
  it("holds pseudonyms of the newest key, nothing denied and no content that is masked", async () => {
    const { send, last, batch } = await edge(strict);
    await send(person);
    expect(last()).toMatchObject({ userId: pseudonym("ada-lovelace"), anonymousId: pseudonym("a-1") });
    expect(JSON.parse(last().payload)).toEqual({ mail: "[email]", note: "call [phone]", card: "[card]" });
    expect(JSON.parse(last().context)).toMatchObject({
      page: "https://x.example/?e=[email]",
      by: pseudonym("ada-lovelace"),
    });
    expect(JSON.parse(last().metadata)).toEqual({ list: ["[card]", {}] });
    expect(batch().flags[0]! & flag.redacted).toBe(flag.redacted);
  });

  it("holds a person's pseudonym as well where a stream is named after them, refused or not", async () => {
    const { send, last, batch } = await edge(strict);
    const numbered = { ...person, stream_id: person.user_id, session_id: person.user_id, seq: 3 };
    const hidden = pseudonym(person.user_id);
    await send(numbered);
    expect(last()).toMatchObject({ streamId: hidden, sessionId: hidden, seq: 3 });
    await send({ ...numbered, event_id: {} });
    expect(batch().refusals).toMatchObject([{ code: "invalid_type", place: { streamId: hidden, seq: 3 } }]);
    expect(JSON.stringify(batch().refusals)).not.toContain(person.user_id);
  });

  it("leaves out ids that hold such content, where no pseudonym stands for them", async () => {
    const { send, last } = await edge({ scan: { action: "mask" } });
    const event = {
      ...ada,
      type: "to ada@example.com",
      user_id: "ada@example.com",
      event_id: "ada@example.com/1",
    };
    await send(event);
    expect(last()).toMatchObject({ userId: null, type: "to [email]", eventId: "[email]/1" });
  });

  it("has no revenue that was left out of the payload", async () => {
    const { send, last } = await edge({ denied_properties: ["revenue"] });
    await send({ ...ada, payload: { revenue: 5, currency: "EUR" } });
    expect([last().revenue, last().payload]).toEqual([null, '{"currency":"EUR"}']);
  });

  it("takes a pseudonym's form from nobody", async () => {
    const { send, last } = await edge(strict);
    await send({ ...ada, user_id: pseudonym("ada") });
    expect(last().userId).toBe(pseudonym(pseudonym("ada")));
  });
});

describe("an event's identity", () => {
  const others: [string, object | undefined][] = [
    ["none", undefined],
    ["the defaults", {}],
    ["another key", { pseudonym_keys: [keys[1]] }],
    ["masking and denying", strict],
    ["the whole address", { ip: "keep", takes_client_context: true }],
  ];
  const kinds: [string, object][] = [
    ["its id", person],
    ["its place in a stream", { ...person, event_id: undefined, stream_id: "ada@example.com", seq: 4 }],
    ["its content", { ...person, event_id: undefined }],
  ];
  it.each(kinds)("by %s is the same under every policy", async (_, event) => {
    const found = await Promise.all(
      others.map(async ([, policy]) => {
        const { send, batch } = await edge(policy);
        await send(event, {}, { ip: "203.0.113.77", country: "DE" });
        const { ids, hashes, fingerprints } = batch();
        return [ids, hashes, fingerprints].map((column) => Buffer.from(column).toString("hex"));
      }),
    );
    for (const columns of found) expect(columns).toEqual(found[0]);
    expect(found[0]![0]).not.toMatch(/^0+$/);
  });
});

describe("what is refused", () => {
  const forbidding = { scan: { action: "quarantine" } };

  it("is refused for its content, and kept with that content masked", async () => {
    const { send, stored, batch } = await edge(forbidding);
    const answer = await send([
      { ...person, user_id: "u" },
      { ...ada, event_id: "8" },
    ]);
    expect(answer).toMatchObject({
      accepted: 1,
      quarantined: 1,
      errors: [{ index: 0, code: "content_forbidden", pointer: "/payload/mail" }],
    });
    expect(JSON.parse(stored()[0] as string)).toMatchObject({
      event_id: "7",
      payload: { mail: "[email]", note: "call [phone]", card: "[card]", secret: { a: 1 } },
    });
    expect(Buffer.from(batch().bodies).toString()).not.toMatch(/ada@example|4111|1234567/);
  });

  it.each([
    ["an unknown field", { ...person, colour: "ada@example.com" }],
    ["a wrong type", { ...person, user_id: "ada-lovelace", seq: "ada@example.com" }],
    ["a numeric id", { ...person, user_id: 4915112345678, context: {} }],
    ["a time that is none", { ...person, timestamp: "ada@example.com" }],
    ["no type", { ...person, type: undefined }],
  ])("for %s is kept without what the policy keeps none of", async (_, event) => {
    const { send, stored, batch } = await edge(strict);
    const answer = await send(event);
    expect(answer).toMatchObject({ quarantined: 1 });
    const kept = JSON.parse(stored()[0] as string) as Record<string, unknown>;
    expect(kept["user_id"]).toMatch(/^p\.2\.[\w-]{22}$/);
    expect(kept["payload"]).toEqual({ mail: "[email]", note: "call [phone]", card: "[card]" });
    const all = JSON.stringify([answer, batch().refusals]) + Buffer.from(batch().bodies).toString();
    expect(all).not.toMatch(/ada@example|ada-lovelace|4111|4915112345678|1234567/);
  });

  it("keeps its numbers as they were written", async () => {
    const { send, stored } = await edge(strict);
    const body =
      '{"type":"t","event_id":"1","payload":{"n":12345678901234567890,"m":"ada@example.com","f":1.50}}';
    expect(await send(body)).toMatchObject({ errors: [{ code: "number_not_representable" }] });
    expect(stored()[0]).toBe(
      '{"type":"t","event_id":"1","payload":{"n":12345678901234567890,"m":"[email]","f":1.50}}',
    );
  });

  it("and cannot be read is masked by form, or not kept where that is not enough", async () => {
    const lines = '{"type":"t","to":"ada@example.com"\n{"type":"t"}';
    const ndjson = { "content-type": "application/x-ndjson" };
    const masking = await edge({ scan: { action: "mask" } });
    await masking.send(lines, ndjson);
    expect(masking.stored()[0]).toBe('{"type":"t","to":"[email]"');
    const denying = await edge(strict);
    await denying.send(lines, ndjson);
    expect(denying.stored()[0]).toMatch(/^"not kept/);
  });

  it("names nobody by a pointer", async () => {
    const { send } = await edge(forbidding);
    const { errors } = await send({ ...ada, payload: { deep: [{ "ada@example.com": { a: 1 } }] } });
    expect(errors).toMatchObject([{ code: "content_forbidden", pointer: "/payload/deep/0/[email]" }]);
  });

  it("is kept as it came where the policy asks nothing of content", async () => {
    const { send, stored } = await edge({ ip: "drop" });
    const body = '{ "type":"t",  "colour":"ada@example.com" }';
    await send(body);
    expect(stored()[0]).toBe(body);
  });
});

describe("a refused event that comes back", () => {
  const back = async (refused: Batch, policy: object) => {
    const collector = fakeCollector();
    const policyOf = () => policyShape.parse(policy);
    const reenter = createReenter({ name: "edge", collector, hash, policyOf });
    const [answer] = await reenter.send({
      batchId: new Uint8Array(16),
      project: "shop",
      receivedAt: now,
      packed: [],
      originals: [
        {
          hash: refused.hashes.slice(0, 16),
          fingerprint: refused.fingerprints.slice(0, 8),
          bytes: refused.bodies.slice(0, refused.sizes[0]),
          dialect: "native",
          identity: undefined,
          historical: false,
          isRedacted: (refused.flags[0]! & flag.redacted) !== 0,
          judgedAt: now,
          sentAt: undefined,
        },
      ],
    });
    return {
      answer,
      batch: collector.batches[0]!,
      fields: bodiesOf(collector.batches[0]!)[0] as EventFields,
    };
  };

  it("was consented to when it came, or nothing of it would have been kept", async () => {
    const first = await edge({ consent: "required" }, ["consent_taken"]);
    await first.send({ ...ada, timestamp: now + 3_600_000 });
    expect(first.batch().refusals[0]).toMatchObject({ code: "time_ahead" });
    const { answer } = await back(first.batch(), { consent: "required" });
    expect(answer?.refusal).toMatchObject({ code: "time_ahead" });
  });

  it("is the event that was sent, though its content is masked", async () => {
    const event = { ...person, user_id: "u" };
    const first = await edge({ scan: { action: "quarantine" } });
    await first.send(event);
    const plain = await edge({});
    await plain.send(event);
    const { answer, batch, fields } = await back(first.batch(), { scan: { action: "quarantine" } });
    expect(answer).toMatchObject({ refusal: undefined });
    const columns = ({ ids, hashes, fingerprints }: Batch) =>
      [ids, hashes, fingerprints].map((one) => [...one]);
    expect(columns(batch)).toEqual(columns(plain.batch()));
    expect(JSON.parse(fields.payload)).toMatchObject({ mail: "[email]" });
    expect(batch.flags[0]! & flag.redacted).toBe(flag.redacted);
  });

  it("keeps its pseudonyms, and gets those of a policy that came later", async () => {
    const event = { ...ada, user_id: "ada-lovelace", colour: 1 };
    const first = await edge(strict);
    await first.send(event);
    expect((await back(first.batch(), strict)).answer?.refusal).toMatchObject({ code: "unknown_field" });
    const late = await edge({});
    await late.send({ ...event, timestamp: now - 40 * 86_400_000, colour: undefined });
    const { batch } = await back(late.batch(), strict);
    expect(Buffer.from(batch.bodies).toString()).toContain(pseudonym("ada-lovelace"));
    expect(Buffer.from(batch.bodies).toString()).not.toContain('"ada-lovelace"');
  });
});

it("asks nothing of the quota where an event came by no request", async () => {
  const { send, batch } = await edge({ quota_events_per_day: 5 });
  await send(ada);
  expect(batch().quota).toBe(5);
});
