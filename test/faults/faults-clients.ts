// Faults of clients: those that send by the byte, and those that hang up half-way.
import { connect, type Socket } from "node:net";
import type { Fault, Scene } from "./run-fault.ts";

const clients = 100;
const lastsMs = 5_000;
const everyMs = 250;

function open(scene: Scene): Socket[] {
  const port = Number(new URL(scene.world.edges[0]!.url).port);
  return Array.from({ length: clients }, () => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.write("POST /v1/events HTTP/1.1\r\nHost: edge\r\nContent-Type: application/json\r\n");
    return socket;
  });
}

const slow: Fault = {
  name: "clients_slow",
  mayRefuse: false,
  async strike(scene) {
    scene.strikes();
    const sockets = open(scene);
    for (let passed = 0; passed < lastsMs; passed += everyMs) {
      for (const socket of sockets) if (!socket.destroyed) socket.write("x");
      await Bun.sleep(everyMs);
    }
    for (const socket of sockets) socket.destroy();
  },
};

const leaving: Fault = {
  name: "clients_hang_up",
  mayRefuse: false,
  async strike(scene) {
    scene.strikes();
    for (let passed = 0; passed < lastsMs; passed += everyMs) {
      const sockets = open(scene);
      for (const socket of sockets) socket.write('Content-Length: 5000\r\n\r\n{"events":[{"event_id":"half');
      await Bun.sleep(everyMs);
      for (const socket of sockets) socket.destroy();
    }
  },
};

export const clientFaults: readonly Fault[] = [slow, leaving];
