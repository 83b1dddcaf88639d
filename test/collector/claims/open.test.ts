// Which driver a URL opens, and what an error about it may say.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { claimPrefix, openClaims } from "../../../collector/claims/open.ts";
import { claimRequest } from "../../contract/claims.ts";

const prefix = new Uint8Array(8);

describe("openClaims", () => {
  it("opens a file and the memory at once", async () => {
    const folder = mkdtempSync(join(tmpdir(), "weir-claims-"));
    for (const url of [`sqlite:${join(folder, "claims.db")}`, "memory:"]) {
      const store = await openClaims(url, { prefix });
      expect([...(await store.claim(claimRequest(1)))]).toEqual([0]);
      await store.close();
    }
    rmSync(folder, { recursive: true });
  });

  it.each(["redis://127.0.0.1:1", "rediss://user:secret@127.0.0.1:1", "https://:secret@127.0.0.1:1"])(
    "connects %s only when it is called, and never shows a password",
    async (url) => {
      const store = await openClaims(url, { prefix });
      const error = await store.claim(claimRequest(1)).then(
        () => "it answered",
        (cause: unknown) => `${String(cause)} ${JSON.stringify(cause)}`,
      );
      expect(error).not.toContain("secret");
      expect(error).not.toBe("it answered");
      await expect(store.health()).rejects.toThrow();
      await store.close();
    },
  );

  it.each(["mysql://root:secret@host", "", "redis"])("refuses %o and does not repeat it", async (url) => {
    const opening = openClaims(url, { prefix });
    await expect(opening).rejects.toThrow("begins with none of redis://");
    await expect(opening).rejects.not.toThrow("secret");
  });

  it("wants a token for https:", async () => {
    await expect(openClaims("https://host", { prefix })).rejects.toThrow("has no token");
  });
});

describe("the prefix of a log's claims", () => {
  const identity = { id: "cluster/topic", topic: "weir.events", partitions: 24 };

  it("is 8 bytes, the same for the same log and another for any other", () => {
    const own = claimPrefix(identity);
    expect(own).toHaveLength(8);
    expect(claimPrefix({ ...identity })).toEqual(own);
    expect(claimPrefix({ ...identity, id: "other/topic" })).not.toEqual(own);
    expect(claimPrefix({ ...identity, topic: "weir.events.2" })).not.toEqual(own);
    expect(claimPrefix({ ...identity, partitions: 48 })).not.toEqual(own);
  });
});
