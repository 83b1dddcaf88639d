// The store's URL: what is wrong with one is told without showing any of its password.
import { describe, expect, it } from "vitest";
import { postgresStore } from "../../aggregator/store/postgres.ts";

describe("a store's URL that cannot be read", () => {
  it.each([
    ["postgres://weir:hunter%zz@127.0.0.1:1/weir", /%25/],
    ["postgres://weir:a@hunter/b#c@127.0.0.1:1/weir", /%23/],
  ])("is refused by a code, and says how it is written: %s", async (url, how) => {
    const error = await postgresStore(url, { schema: "weir", dataDir: "" }).catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "store_url_invalid", message: expect.stringMatching(how) });
    expect((error as Error).message).not.toContain("hunter");
  });
});
