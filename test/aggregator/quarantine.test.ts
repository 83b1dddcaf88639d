// Runs the quarantine's suite on the embedded store and on the real servers.
import { randomBytes } from "node:crypto";
import { describeWith, serviceUrl } from "../support/services.ts";
import { quarantineSuite } from "./quarantine-suite.ts";

const places = (service: "postgres" | "timescale") => () => ({
  storeUrl: serviceUrl(service),
  schema: `weir_${randomBytes(4).toString("hex")}`,
});

quarantineSuite("the quarantine on the embedded store", () => ({}));

// The embedded store is a PostgreSQL too; a server's own is tried where time is.
if (process.env["WEIR_TEST_LONG"] === "1") {
  describeWith(["postgres"], "a server of PostgreSQL", () => {
    quarantineSuite("the quarantine on PostgreSQL", places("postgres"));
  });
}

describeWith(["timescale"], "a server of TimescaleDB", () => {
  quarantineSuite("the quarantine on TimescaleDB", places("timescale"));
});
