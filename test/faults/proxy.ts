// A TCP proxy before a server that can be cut, hung, slowed, or made to drop one certain answer.
import { connect, createServer, type Socket } from "node:net";

/** What the proxy does to bytes: pass them, or harm them in one way. */
export type Harm =
  | { kind: "none" }
  /** Ends what is there, and every new connection at once. */
  | { kind: "cut" }
  /** Takes connections and bytes, and never answers. */
  | { kind: "half_open" }
  | { kind: "delay"; ms: number }
  /** Each connection, each way. */
  | { kind: "throttle"; bytesPerSecond: number }
  /** Ends a connection when `sees` says so: before these bytes are passed on, `times` times in all. */
  | { kind: "drop_at"; from: "client" | "server"; sees: (bytes: Buffer) => boolean; times: number };

export interface Passage {
  port: number;
  harm(harm: Harm): void;
  /** Passes everything again; connections that hung are ended, as a host that comes back ends them. */
  heal(): void;
  /** How many connections a `drop_at` has ended so far. */
  dropped(): number;
  close(): Promise<void>;
}

interface Pair {
  inner: Socket;
  outer: Socket;
}

/** A proxy on a free loopback port before `targetPort`. */
export async function startProxy(targetPort: number): Promise<Passage> {
  const pairs = new Set<Pair>();
  let harm: Harm = { kind: "none" };
  let left = 0;
  let dropped = 0;

  const end = (pair: Pair): void => {
    pairs.delete(pair);
    pair.inner.destroy();
    pair.outer.destroy();
  };
  const endAll = (): void => {
    for (const pair of [...pairs]) end(pair);
  };

  function pass(pair: Pair, from: "client" | "server"): void {
    const [source, target] = from === "client" ? [pair.inner, pair.outer] : [pair.outer, pair.inner];
    // Bytes go on in their order even where one lot had to wait.
    let freeAt = 0;
    source.on("data", (bytes: Buffer) => {
      if (harm.kind === "half_open") return;
      if (harm.kind === "drop_at" && harm.from === from && left > 0 && harm.sees(bytes)) {
        left -= 1;
        dropped += 1;
        return end(pair);
      }
      const now = Date.now();
      const waitMs =
        harm.kind === "delay"
          ? harm.ms
          : harm.kind === "throttle"
            ? (bytes.length / harm.bytesPerSecond) * 1000
            : 0;
      const startAt = harm.kind === "throttle" ? Math.max(now, freeAt) : now;
      const at = Math.max(startAt + waitMs, freeAt);
      freeAt = at;
      if (at <= now) return write(source, target, bytes);
      source.pause();
      setTimeout(() => {
        write(source, target, bytes);
        source.resume();
      }, at - now);
    });
  }

  const server = createServer((inner) => {
    if (harm.kind === "cut") return void inner.destroy();
    const pair = { inner, outer: connect(targetPort, "127.0.0.1") };
    pairs.add(pair);
    for (const socket of [pair.inner, pair.outer]) {
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => end(pair));
    }
    pass(pair, "client");
    pass(pair, "server");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    harm(next) {
      harm = next;
      left = next.kind === "drop_at" ? next.times : 0;
      dropped = 0;
      if (next.kind === "cut") endAll();
    },
    heal() {
      if (harm.kind === "half_open") endAll();
      harm = { kind: "none" };
    },
    dropped: () => dropped,
    async close() {
      endAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

// What the slower side cannot take yet waits in the faster side's own socket.
function write(source: Socket, target: Socket, bytes: Buffer): void {
  if (target.destroyed || target.write(bytes)) return;
  source.pause();
  target.once("drain", () => source.resume());
}

/** PostgreSQL's own word that a transaction is committed, on its way to the client. */
export const isCommitAnswer = (bytes: Buffer): boolean => bytes.includes("COMMIT\0");

/** Sees a `commit` on its way to PostgreSQL: as text, or as a prepared statement whose text went before. */
export function createCommitWatch(): (bytes: Buffer) => boolean {
  const prepared = new Set<string>();
  return (bytes) => {
    const text = bytes.toString("latin1");
    const parse = /P.{4}([^\0]*)\0\s*commit\s*\0/is.exec(text);
    if (parse?.[1]) prepared.add(parse[1]);
    if (/\bcommit\s*\0/i.test(text)) return true;
    return [...prepared].some((name) => text.includes(`\0${name}\0`));
  };
}
