// The edge on Node gives what it gives on Bun: the same vectors, and requests served over HTTP.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { findNode } from "../services/runtimes.ts";

const node = await findNode();
const title = "the edge on Node";

if ("missing" in node) {
  if (process.env["WEIR_TEST_SERVICES"] === "required") {
    it(`${title} has the Node it needs`, () => {
      throw new Error(node.missing);
    });
  } else console.warn(`NOT RUN: ${title} (${node.missing})`);
}

describe.skipIf("missing" in node)(title, () => {
  it("holds every vector and serves every kind of body", async () => {
    if ("missing" in node) throw new Error(node.missing);
    const script = fileURLToPath(new URL("./node-edge.ts", import.meta.url));
    const { stdout } = await promisify(execFile)(node.path, [script], { timeout: 60_000 });
    const told = JSON.parse(stdout.trim().split("\n").at(-1)!) as Record<string, unknown>;
    expect(told).toMatchObject({
      wrong: [],
      statuses: { json: 202, gzip: 202, msgpack: 202, bomb: 413, endless: 413 },
    });
    expect(told["checked"]).toBeGreaterThan(100);
    expect(told["pulled"]).toBeLessThan(256 * 1024 ** 2);
    expect(new Set(told["ids"] as string[]).size).toBe(1);
    expect((told["events"] as object[]).map((event) => event)).toMatchObject(
      Array(3).fill({ eventId: "n-1", revenue: "1.5", payload: '{"revenue":1.5,"text":"é😀"}' }),
    );
  }, 180_000);
});
