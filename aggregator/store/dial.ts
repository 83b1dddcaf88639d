// Connects to a server for postgres.js 3.4.9, which tries for ever and without a pause where a server, or
// what stands before one that is down, takes a connection and closes it at once.
import { Socket } from "node:net";

const connectMs = 10_000;
/** Connections closed before a word, until the question that waits for one is refused. */
const silentMax = 3;
const pauseMs = 100;

/** An answer to `socket` of postgres.js. A failure is a socket that breaks, since only so it goes on well. */
export function createDial(host: string, port: number): () => Promise<Socket> {
  let silent = 0;
  return async () => {
    if (silent >= silentMax) {
      silent = 0;
      return broken(lostError(`${host}:${port} closes connections before a word`, "CONNECTION_CLOSED"));
    }
    if (silent > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs * silent));
    try {
      const socket = await connectSocket(host, port);
      let hasSpoken = false;
      socket.once("data", () => {
        hasSpoken = true;
        silent = 0;
      });
      // Counted when it closes: a pool opens many at once, and each is silent for a moment.
      socket.once("close", () => {
        if (!hasSpoken) silent += 1;
      });
      return socket;
    } catch (error) {
      return broken(error as Error);
    }
  };
}

function connectSocket(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = new Socket();
    const late = setTimeout(() => {
      socket.destroy(lostError(`${host}:${port} does not answer`, "CONNECT_TIMEOUT"));
    }, connectMs);
    socket.once("error", reject);
    socket.connect(port, host, () => {
      clearTimeout(late);
      socket.off("error", reject);
      resolve(socket);
    });
    socket.once("close", () => clearTimeout(late));
  });
}

function broken(error: Error): Socket {
  // It swallows the first message, whose failure would hide the error; it breaks once it is listened to.
  const socket = Object.assign(new Socket(), { write: () => true });
  setTimeout(() => socket.destroy(error), 0);
  return socket;
}

const lostError = (text: string, code: string): Error => Object.assign(new Error(text), { code });
