// Apache Kafka's jars, fetched once by Maven into a cache outside the repository.
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Where the jars lie and how Java is told of them. */
export interface KafkaHome {
  classPath: string;
  /** Archive of loaded classes for one main class; it halves the start once it is there. */
  archive(mainClass: string): string;
}

/** Names the folder that holds what tests fetched; a cache in the home folder when absent. */
const cacheName = "WEIR_TEST_CACHE";

const installMsMax = 300_000;

/** The jars, fetched when they are not there; or what is missing to fetch or run them. */
export async function installKafka(): Promise<KafkaHome | { missing: string }> {
  const java = await version("java", ["-version"]);
  if (java === undefined) return { missing: "java (17 or later) is not on the PATH" };
  const cache = join(process.env[cacheName] ?? join(homedir(), ".cache", "weir-test"), "kafka-4.3.1");
  const jars = join(cache, "jars");
  if (!existsSync(jars)) {
    if ((await version("mvn", ["-version"])) === undefined)
      return { missing: "mvn (Maven) is not on the PATH" };
    await fetchJars(cache, jars);
  }
  const names = (await readdir(jars)).filter((name) => name.endsWith(".jar")).sort();
  return {
    classPath: names.map((name) => join(jars, name)).join(":"),
    archive: (mainClass) => join(cache, `${mainClass}-${java.replace(/[^0-9.]/g, "")}.jsa`),
  };
}

// Fetched beside and renamed: another run may be at it too, and half a folder is never seen.
async function fetchJars(cache: string, jars: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const beside = join(cache, `jars-${randomUUID()}`);
  const pom = join(import.meta.dirname, "pom.xml");
  await run("mvn", ["-q", "-B", "-f", pom, "dependency:copy-dependencies", `-DoutputDirectory=${beside}`], {
    timeout: installMsMax,
    cwd: cache,
  });
  await rename(beside, jars).catch(async (error: unknown) => {
    await rm(beside, { recursive: true, force: true });
    if (!existsSync(jars)) throw error;
  });
}

async function version(command: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await run(command, [...args]);
    return `${stdout}${stderr}`.split("\n")[0];
  } catch {
    return undefined;
  }
}
