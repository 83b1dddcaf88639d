// Runs the quarantine's suite on the embedded store and on the real servers.
import { randomBytes } from "node:crypto";
import { describeWith, serviceUrl } from "../support/services.ts";
import { quarantineSuite } from "./quarantine-suite.ts";

const places = (service: "postgres" | "timescale") => () => ({
  storeUrl: serviceUrl(service),
  schema: `weir_${randomBytes(4).toString("hex")}`,
});

quarantineSuite("the quarantine on the embedded store", () => ({}));

describeWith(["postgres"], "a server of PostgreSQL", () => {
  quarantineSuite("the quarantine on PostgreSQL", places("postgres"));
});

describeWith(["timescale"], "a server of TimescaleDB", () => {
  quarantineSuite("the quarantine on TimescaleDB", places("timescale"));
});
