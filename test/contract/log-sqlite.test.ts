// The log's contract on a SQLite file.
import { Database } from "bun:sqlite";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLog } from "../../shared/log/open.ts";
import { logContract } from "./log.ts";

logContract("sqlite", async () => {
  const folder = await mkdtemp(join(tmpdir(), "weir-log-"));
  const file = join(folder, "below", "log.sqlite");
  const change = (sql: string, ...values: (string | number)[]): void => {
    const database = new Database(file);
    database.query(sql).run(...values);
    database.close();
  };
  const number = "(select number from topics where name = ?)";
  return {
    open: (topic, partitions) => openLog(`sqlite:${file}`, { topic, partitions }),
    remove: async (topic) => {
      change(`delete from partitions where topic = ${number}`, topic);
      change("delete from topics where name = ?", topic);
    },
    forget: async (topic, partition, start) => {
      const place = `topic = ${number} and partition = ?`;
      change(`delete from records where ${place} and offset < ?`, topic, partition, Number(start));
      change(`update partitions set start = ? where ${place}`, Number(start), topic, partition);
    },
    sharesPartitions: false,
    close: () => rm(folder, { recursive: true, force: true }),
  };
});
