// Redis for the suites: the installed redis-server on a free port, nothing written, nothing forgotten.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Certificates, makeCertificates } from "./certificates.ts";
import { freePort } from "./postgres.ts";
import type { Started } from "./setup.ts";

/** A server of one's own, to be stopped, filled and hung at will. */
export interface RunningRedis {
  url: string;
  port: number;
  pid: number;
  /** Ends it by its pid and waits until it is gone. */
  stop(): Promise<void>;
}

const program = "redis-server";
const needed = "redis-server is not installed (Debian and Ubuntu: apt-get install redis-server)";
/** From spawn to the first PONG; a machine under load takes seconds. */
const startMs = 20_000;

/** The server that the whole run shares. */
export async function startRedis(): Promise<Started> {
  if (Bun.which(program) === null) return { missing: needed };
  const { url, stop } = await launchRedis();
  return { url, stop };
}

/** Starts one on `port` (a free one when 0) with more settings, each a line of redis.conf in words. */
export async function launchRedis(
  options: { port?: number; settings?: readonly (readonly string[])[] } = {},
): Promise<RunningRedis> {
  if (Bun.which(program) === null) throw new Error(needed);
  const port = options.port || (await freePort());
  const settings: (readonly string[])[] = [
    ["bind", "127.0.0.1"],
    ["port", String(port)],
    ["save", ""],
    ["appendonly", "no"],
    ["maxmemory-policy", "noeviction"],
    ...(options.settings ?? []),
  ];
  const child = Bun.spawn([program, ...settings.flatMap(([name, ...values]) => [`--${name}`, ...values])], {
    stdout: "ignore",
    stderr: "ignore",
    cwd: tmpdir(),
  });
  const stop = async (): Promise<void> => {
    // A server that a suite has hung hears nothing but this.
    child.kill("SIGKILL");
    await child.exited;
  };
  await waitForPort(port, child).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return { url: `redis://127.0.0.1:${port}`, port, pid: child.pid, stop };
}

/** A server that speaks TLS alone and wants a password of its one user. */
export interface RunningRedisTls extends RunningRedis {
  certificates: Certificates;
}

/** Starts it; `user` holds the rights given as a line of Redis' ACL. */
export async function startRedisTls(
  user: string,
  password: string,
  rights: string,
): Promise<RunningRedisTls> {
  const dir = mkdtempSync(join(tmpdir(), "weir-redis-"));
  try {
    const certificates = await makeCertificates(dir, ["localhost", "127.0.0.1"]);
    const port = await freePort();
    const running = await launchRedis({
      port,
      settings: [
        ["port", "0"],
        ["tls-port", String(port)],
        ["tls-cert-file", certificates.certFile],
        ["tls-key-file", certificates.keyFile],
        ["tls-ca-cert-file", certificates.caFile],
        ["tls-auth-clients", "no"],
        ["user", "default", "off"],
        ["user", user, "on", `>${password}`, ...rights.split(" ")],
      ],
    });
    const stop = async (): Promise<void> => {
      await running.stop();
      rmSync(dir, { recursive: true, force: true });
    };
    return { ...running, url: `rediss://${user}:${password}@localhost:${port}`, stop, certificates };
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

async function waitForPort(port: number, child: Bun.Subprocess): Promise<void> {
  const until = Date.now() + startMs;
  while (Date.now() < until) {
    if (child.exitCode !== null) throw new Error(`redis-server ended at once with ${child.exitCode}`);
    const isOpen = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } }).then(
      (socket) => {
        socket.end();
        return true;
      },
      () => false,
    );
    if (isOpen) return;
    await Bun.sleep(20);
  }
  throw new Error("redis-server did not begin to listen");
}
