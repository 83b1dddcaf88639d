// The log's contract in memory.
import { forgetBefore, memoryLog, memoryPlace } from "../../shared/log/memory.ts";
import { logContract } from "./log.ts";

logContract("memory", async () => {
  const place = memoryPlace("contract");
  return {
    open: async (topic, partitions) => memoryLog(place, { topic, partitions }),
    remove: async (topic) => void place.delete(topic),
    forget: async (topic, partition, start) => forgetBefore(place.get(topic)!, partition, start),
    sharesPartitions: true,
    close: async () => {},
  };
});
