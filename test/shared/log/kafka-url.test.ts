// A Kafka URL's parts, and that no error shows what it carries.
import { describe, expect, it } from "vitest";
import { readOutcomes } from "../../../shared/log/kafka-outcome.ts";
import { readKafkaUrl } from "../../../shared/log/kafka-url.ts";
import { openLog } from "../../../shared/log/open.ts";

describe("a Kafka URL", () => {
  it.each([
    ["kafka://one", ["one:9092"]],
    ["kafka://one:1,two:2/", ["one:1", "two:2"]],
    ["kafka://[::1]:9094", ["[::1]:9094"]],
  ])("names the brokers: %s", (url, brokers) => {
    expect(readKafkaUrl(url, undefined)).toMatchObject({ brokers, tls: undefined, sasl: undefined });
  });

  it.each([
    ["weir:secret", "", "weir", "secret", "SCRAM-SHA-512"],
    ["weir:se:c@ret", "?mechanism=plain", "weir", "se:c@ret", "PLAIN"],
    ["w%40ir:100%25%2F", "?mechanism=SCRAM-SHA-256", "w@ir", "100%/", "SCRAM-SHA-256"],
    ["weir:50%", "?mechanism=scram-sha-512", "weir", "50%", "SCRAM-SHA-512"],
  ])("reads credentials: %s", (userInfo, query, username, password, mechanism) => {
    const target = readKafkaUrl(`kafka+tls://${userInfo}@broker:9093${query}`, "PEM");
    expect(target.sasl).toEqual({ username, password, mechanism });
    expect(target.tls).toEqual({ ca: "PEM", serverName: true });
    expect(target.label).toBe("kafka+tls://broker:9093");
  });

  it("sends no name along to an address", () => {
    expect(readKafkaUrl("kafka+tls://127.0.0.1:1", undefined).tls).toEqual({
      ca: undefined,
      serverName: false,
    });
  });

  it.each([
    ["kafka://weir:hunter2@broker", /kafka\+tls/],
    ["kafka+tls://weir:hunter2@broker?mechanism=hunter2", /mechanism other than plain/],
    ["kafka+tls://weir:hunter2@broker?password=hunter2", /parameter other than mechanism/],
    ["kafka+tls://hunter2@broker", /without a password/],
    ["kafka+tls://weir:hunter2@", /is not kafka/],
    ["kafka+tls://weir:hunter2@broker:hunter2", /not host:port/],
    ["kafak://weir:hunter2@broker", /begins with none of/],
    ["hunter2", /begins with none of/],
  ])("says what is wrong with %s and does not show it", async (url, fault) => {
    const error = await openLog(url, { topic: "events" }).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(error?.message).toMatch(fault);
    expect(error?.message).not.toContain("hunter2");
  });
});

describe("the outcome of a failed send", () => {
  const answer = (codes: Record<number, number>) =>
    Object.assign(new AggregateError([], "answered"), {
      response: {
        responses: [
          {
            partitionResponses: Object.entries(codes).map(([index, errorCode]) => ({
              index: Number(index),
              errorCode,
            })),
          },
        ],
      },
    });
  const coded = (apiCode: number): Error => Object.assign(new Error("coded"), { apiCode });

  it.each([
    ["nothing is known of a lost answer", new Error("closed"), 0, "unknown"],
    ["a record that is too large is refused", answer({ 0: 10 }), 0, "refused"],
    ["its neighbour in the send is stored", answer({ 0: 10, 1: 0 }), 1, "stored"],
    ["a partition the answer does not name is unknown", answer({ 0: 10 }), 1, "unknown"],
    ["too few replicas may mean it was appended", answer({ 0: 20 }), 0, "unknown"],
    [
      "a partition taken by an earlier attempt is stored",
      new AggregateError([answer({ 0: 0, 1: 7 }), answer({ 0: 7 })]),
      0,
      "stored",
    ],
    ["no right to write is refused for all", new AggregateError([coded(29)]), 3, "refused"],
    ["an error inside an error is found", new Error("outer", { cause: answer({ 2: 10 }) }), 2, "refused"],
  ] as const)("%s", (_, error, partition, expected) => {
    expect(readOutcomes(error)(partition)).toBe(expected);
  });
});
