// The other end of the HTTP benchmarks: servers as child processes, and a client that keeps them busy.
import { join } from "node:path";
import { type Contents, makeEvents } from "./events.ts";
import type { ServerPart, ServerWord } from "./http-server.ts";

export interface ServerProcess {
  url: string;
  /** Processor time so far. */
  cpuMs(): Promise<number>;
  stop(): Promise<void>;
}

const stopMsMax = 10_000;

/** Starts one and resolves once it listens. */
export async function startServer(part: ServerPart): Promise<ServerProcess> {
  let answer = Promise.withResolvers<ServerWord>();
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "http-server.ts"), JSON.stringify(part)], {
    stdout: "inherit",
    stderr: "inherit",
    ipc: (word) => answer.resolve(word as ServerWord),
    onExit: (_child, code) => answer.reject(new Error(`the server ${part.part} ended with ${code}`)),
  });
  const first = await answer.promise;
  if (!("url" in first)) throw new Error("a server did not say where it listens");
  return {
    url: first.url,
    async cpuMs() {
      answer = Promise.withResolvers();
      child.send("cpu");
      const word = await answer.promise;
      return "cpuMs" in word ? word.cpuMs : Number.NaN;
    },
    async stop() {
      answer.promise.catch(() => {});
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), stopMsMax);
      await child.exited;
      clearTimeout(timer);
    },
  };
}

let bodiesMade = 0;

/** Request bodies over fresh events, `batch` in each: nothing in them was ever sent before. */
export function makeBodies(events: number, batch: number, contents?: Contents): Uint8Array[] {
  const encoder = new TextEncoder();
  bodiesMade += 1;
  const run = `${process.pid}-${bodiesMade}`;
  return Array.from({ length: events / batch }, (_, at) =>
    encoder.encode(
      JSON.stringify({ events: makeEvents(run, [at * batch, batch], [Date.now(), 0], contents) }),
    ),
  );
}

/** Sends all of them over so many connections; throws where an event is not accepted as new. */
export async function sendAll(
  url: string,
  writeKey: string,
  bodies: readonly Uint8Array[],
  connections: number,
): Promise<number> {
  const rest = bodies.values();
  const headers = { authorization: `Bearer ${writeKey}`, "content-type": "application/json" };
  let accepted = 0;
  const connection = async (): Promise<void> => {
    for (const body of rest) {
      const request = { method: "POST", headers, body: body as Uint8Array<ArrayBuffer> };
      const response = await fetch(`${url}/v1/events`, request);
      const answer = (await response.json()) as { accepted?: number };
      if (response.status !== 202) throw new Error(`${response.status}: ${JSON.stringify(answer)}`);
      accepted += answer.accepted ?? 0;
    }
  };
  await Promise.all(Array.from({ length: connections }, connection));
  return accepted;
}
