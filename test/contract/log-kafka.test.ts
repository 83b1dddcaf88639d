// The log's contract on a real broker.
import { Admin } from "@platformatic/kafka";
import { openLog } from "../../shared/log/open.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { logContract } from "./log.ts";

describeWith(["kafka"], "on a broker", () => {
  logContract("kafka", async () => {
    const url = serviceUrl("kafka");
    const admin = new Admin({ clientId: "weir-test", bootstrapBrokers: [url.slice("kafka://".length)] });
    return {
      open: (topic, partitions) => openLog(url, { topic, partitions, allowWeak: true }),
      remove: (topic) => admin.deleteTopics({ topics: [topic] }),
      forget: async (name, partition, offset) => {
        await admin.deleteRecords({ topics: [{ name, partitions: [{ partition, offset }] }] });
      },
      sharesPartitions: true,
      close: () => admin.close(),
    };
  });
});
