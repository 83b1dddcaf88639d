// A TCP gate before a server, for suites that take the way to the store away and give it back.
import { connect, createServer, type Socket } from "node:net";

export interface Gate {
  port: number;
  /** Ends every connection and lets none through until `open`. */
  shut(): void;
  open(): void;
  /** Ends every connection once; new ones pass. */
  drop(): void;
  close(): Promise<void>;
}

/** A gate on a free loopback port before `port`. */
export async function startGate(port: number): Promise<Gate> {
  const sockets = new Set<Socket>();
  let isOpen = true;
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  const server = createServer((inner) => {
    if (!isOpen) return void inner.destroy();
    const outer = connect(port, "127.0.0.1");
    for (const socket of [inner, outer]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        inner.destroy();
        outer.destroy();
      });
    }
    inner.pipe(outer);
    outer.pipe(inner);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    shut() {
      isOpen = false;
      drop();
    },
    open() {
      isOpen = true;
    },
    drop,
    async close() {
      drop();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
