// A process of its own for the tests of the file: it writes and prints what was acked, or reads.
import { openLog } from "../../../shared/log/open.ts";

const [role, file] = process.argv.slice(2);
const log = await openLog(`sqlite:${file}`, { topic: "events" });

if (role === "produce") {
  const producer = await log.producer();
  for (let at = 0; ; at += 1) {
    const record = Buffer.alloc(2000);
    record.writeBigUInt64BE(BigInt(at));
    await producer.publish(0, new Uint8Array(record));
    process.stdout.write(`${at}\n`);
  }
} else {
  const consumer = await log.consumer("aggregator");
  await consumer.run({
    assigned: async (partitions) => {
      process.stdout.write(`assigned ${partitions.join(" ")}\n`);
      return new Map(partitions.map((partition) => [partition, 0n]));
    },
    revoked: async () => {},
    deliver: async () => {},
  });
}
