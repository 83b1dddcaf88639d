// Bodies being read at once: each within its limit, and all of them together within theirs.
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { createReadBody } from "../../edge/body.ts";

const address = "http://edge.test/v1/events";

/** A request that sends what it is told to, when it is told to. */
function slowRequest(headers: Record<string, string> = {}) {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const request = new Request(address, {
    method: "POST",
    body: readable,
    headers,
    duplex: "half",
  } as RequestInit);
  return { request, writer: writable.getWriter() };
}

const whole = (bytes: Uint8Array, headers: Record<string, string> = {}): Request =>
  new Request(address, {
    method: "POST",
    body: bytes as Uint8Array<ArrayBuffer>,
    headers: { "content-length": `${bytes.length}`, ...headers },
  });

describe("bodies that are read at once", () => {
  it("hold no more than they may together, and give their room back", async () => {
    const read = createReadBody(100_000);
    const slow = slowRequest();
    const first = read(slow.request);
    await slow.writer.write(new Uint8Array(90_000));
    await expect(read(whole(new Uint8Array(20_000)))).rejects.toMatchObject({ code: "overloaded" });
    expect(await read(whole(new Uint8Array(10_000)))).toHaveLength(10_000);
    await slow.writer.close();
    expect(await first).toHaveLength(90_000);
    expect(await read(whole(new Uint8Array(60_000)))).toHaveLength(60_000);
  });

  it("count what they unpack to, and give it back when they are refused", async () => {
    const read = createReadBody(100_000);
    const packed = gzipSync(new Uint8Array(200_000));
    const gzip = { "content-encoding": "gzip" };
    for (let time = 0; time < 3; time += 1) {
      await expect(read(whole(packed, gzip))).rejects.toMatchObject({ code: "overloaded" });
    }
    expect(await read(whole(new Uint8Array(60_000)))).toHaveLength(60_000);
  });

  it("give their room back when their sender goes away", async () => {
    const read = createReadBody(100_000);
    const slow = slowRequest();
    const first = read(slow.request);
    await slow.writer.write(new Uint8Array(90_000));
    await slow.writer.abort(new Error("gone"));
    await expect(first).rejects.toThrow();
    expect(await read(whole(new Uint8Array(60_000)))).toHaveLength(60_000);
  });
});
