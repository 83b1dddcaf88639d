// Finds the programs of a server that runs on this machine, so that a suite can start another one of the same.
import { readFileSync, readlinkSync, statSync } from "node:fs";
import postgres from "postgres";
import type { ServerPrograms } from "./timescale.ts";

/** The programs behind a URL, or why they cannot be had: they are another machine's, or in a container. */
export async function programsBehind(url: string): Promise<ServerPrograms | { missing: string }> {
  if (process.getuid?.() !== 0) return { missing: "to run the programs of another server needs root" };
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    const [row] = await sql`
      select pg_backend_pid() as pid, inet_client_port() as port,
        (select setting from pg_config where name = 'BINDIR') as programs`;
    const own = `/proc/${row!["pid"]}`;
    // The process of this very session: its title ends with the client's address and port.
    if (!readFileSync(`${own}/cmdline`, "utf8").includes(`(${row!["port"]})`)) return elsewhere;
    return { root: readlinkSync(`${own}/root`), programs: row!["programs"], account: statSync(own).uid };
  } catch {
    return elsewhere;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

const elsewhere = { missing: "the server's processes cannot be seen from here" };
