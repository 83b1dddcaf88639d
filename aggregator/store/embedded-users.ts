// Who uses an embedded server: the last one to leave stops it, and one that was killed is not waited for.
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDefunct } from "./embedded-launch.ts";

/** Enters this process as a user of the server in `folder`; the answer leaves, and says whether nobody is left. */
export function enterAsUser(folder: string): () => boolean {
  const users = join(folder, "users");
  mkdirSync(users, { recursive: true });
  // One process may open the store more than once, in tests and commands; each entry counts for itself.
  const entry = join(users, `${process.pid}.${crypto.randomUUID()}`);
  writeFileSync(entry, "");
  return () => {
    rmSync(entry, { force: true });
    for (const name of readdirSync(users)) {
      if (isUsing(Number.parseInt(name, 10))) return false;
      rmSync(join(users, name), { force: true });
    }
    return true;
  };
}

function isUsing(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  return process.platform !== "linux" || !isDefunct(pid);
}
