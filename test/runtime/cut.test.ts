// Clients that go away in the middle of a body: on every runtime nothing of it is taken, and nobody else suffers.
import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { EventFields } from "../../shared/event/event.ts";
import { bodiesOf } from "../edge/support.ts";
import { describeOn, findDeno, findNode, type Runtime } from "../services/runtimes.ts";
import { until } from "../support/until.ts";
import {
  type RunningEdge,
  type StartEdge,
  startOnBun,
  startOnDeno,
  startOnNode,
  startOnWorkerd,
} from "./edges.ts";
import { startUpstream, type Upstream, writeKey } from "./upstream.ts";

const [node, deno] = await Promise.all([findNode(), findDeno()]);
const sides: readonly (readonly [name: string, runtime: Runtime, start: StartEdge])[] = [
  ["Cloudflare's workerd", node, startOnWorkerd],
  ["Bun", { path: process.execPath }, startOnBun],
  ["Node", node, startOnNode],
  ["Deno", deno, startOnDeno],
];

/** A line is an event, so that the first half of a body is whole events, and looks like a whole body. */
const bodyOf = (ids: readonly string[], text = ""): string =>
  ids.map((id) => `${JSON.stringify({ event_id: id, type: "t", payload: { text } })}\n`).join("");
const headers = { authorization: `Bearer ${writeKey}`, "content-type": "application/x-ndjson" };
/** Together more than an edge reads at once (64 MiB), so that what is given up must be given back. */
const cutCount = 100;
const large = "x".repeat(50_000);

for (const [name, runtime, start] of sides) {
  describeOn(runtime, `the edge on ${name}`, (path) => {
    let upstream: Upstream;
    let edge: RunningEdge;
    beforeAll(async () => {
      upstream = await startUpstream();
      edge = await start(path, upstream.settings);
    });
    afterAll(async () => {
      await edge?.kill();
      await upstream?.close();
    });

    const stored = (): string[] =>
      upstream.batches.flatMap((batch) =>
        bodiesOf(batch).map((event) => (event as EventFields).eventId ?? "?"),
      );
    const send = async (id: string): Promise<void> => {
      const response = await fetch(`${edge.url}/v1/events`, { method: "POST", headers, body: bodyOf([id]) });
      expect([response.status, await response.json()]).toMatchObject([202, { accepted: 1 }]);
    };

    it.each(["by its length", "in chunks"])(
      "takes nothing of a body that ends early, %s",
      async (framing) => {
        const round = framing.replaceAll(" ", "-");
        const cut = await Promise.all(
          Array.from({ length: cutCount }, (_, at) => {
            const ids = Array.from({ length: 18 }, (_unused, index) => `cut-${round}-${at}-${index}`);
            return begin(edge.url, framing, bodyOf(ids, large));
          }),
        );
        const ids = Array.from({ length: 40 }, (_, at) => `whole-${round}-${at}`);
        // Some while the others hang, some while they go, some when they are gone.
        await Promise.all(ids.slice(0, 10).map(send));
        const going = ids.slice(10, 20).map(send);
        for (const socket of cut) socket.destroy();
        await Promise.all(going);
        await Promise.all(ids.slice(20).map(send));
        const found = stored();
        expect(found.filter((id) => id.startsWith("cut"))).toEqual([]);
        expect(found.filter((id) => id.startsWith(`whole-${round}`)).sort()).toEqual(ids.toSorted());
      },
      120_000,
    );

    it("loses nothing that came whole, though its client did not wait for the answer", async () => {
      const ids = Array.from({ length: 30 }, (_, at) => `left-${at}`);
      await Promise.all(
        ids.map(async (id) => {
          const body = bodyOf([id]);
          const socket = await opened(edge.url, `${headOf(`content-length: ${body.length}`)}${body}`);
          socket.destroy();
        }),
      );
      await send("after-left");
      // Sent again by whoever got no answer: what was taken is known, and what was not is taken now.
      for (const id of ids) {
        const response = await fetch(`${edge.url}/v1/events`, {
          method: "POST",
          headers,
          body: bodyOf([id]),
        });
        const { accepted, duplicate } = (await response.json()) as { accepted: number; duplicate: number };
        expect([response.status, accepted + duplicate]).toEqual([202, 1]);
      }
      await until(
        "each is there",
        10_000,
        () => new Set(stored().filter((id) => id.startsWith("left"))).size === 30,
      );
    }, 60_000);
  });
}

const headOf = (framing: string): string =>
  `POST /v1/events HTTP/1.1\r\nhost: edge\r\nauthorization: ${headers.authorization}\r\n` +
  `content-type: ${headers["content-type"]}\r\n${framing}\r\n\r\n`;

/** Sends the first half of a body, cut at the end of a line; the connection stays open. */
function begin(url: string, framing: string, body: string): Promise<Socket> {
  const half = body.slice(0, body.lastIndexOf("\n", body.length / 2) + 1);
  const bytes = Buffer.byteLength(half);
  return framing === "in chunks"
    ? opened(url, `${headOf("transfer-encoding: chunked")}${bytes.toString(16)}\r\n${half}\r\n`)
    : opened(url, `${headOf(`content-length: ${Buffer.byteLength(body)}`)}${half}`);
}

/** Connects and sends; resolves when the system has taken the bytes. */
function opened(url: string, text: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(text, () => resolve(socket)));
    // What is reset after it was given up is no fault.
    socket.on("error", reject);
    socket.resume();
  });
}
