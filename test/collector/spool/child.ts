// A process that spools until it is ended, and tells the number of each record once it is on the disk.
import { openFileSpool } from "../../../collector/spool/files.ts";
import { armCrashPoint } from "../../../shared/crash-point.ts";

const [dir = "", point = ""] = process.argv.slice(2);
armCrashPoint(point);
const logger = { error: () => {} } as never;
const spool = openFileSpool({ dir, bytesMax: 100_000_000, name: "west", logger });
for (let number = 0; ; number += 1) {
  const record = new Uint8Array(200).fill(number & 255);
  await spool.append({ partition: number, events: 1, time: Date.now(), record });
  process.stdout.write(`${number}\n`);
}
