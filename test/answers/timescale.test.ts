// Every answer about the retail file is right on TimescaleDB, in both of its editions.
import { randomBytes } from "node:crypto";
import type { ServiceName } from "../services/setup.ts";
import { describeWith, serviceUrl } from "../support/services.ts";
import { answersSuite } from "./suite.ts";

const editions: [name: ServiceName, title: string][] = [
  ["timescale", "on TimescaleDB's Apache edition"],
  ["timescale_community", "on TimescaleDB's community edition"],
];

for (const [name, title] of editions) {
  describeWith([name], title, () =>
    answersSuite(() => ({
      storeUrl: serviceUrl(name),
      schema: `weir_${randomBytes(4).toString("hex")}`,
    })),
  );
}
