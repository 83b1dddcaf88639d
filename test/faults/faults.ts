// Every fault by its name, in the order in which they are run.
import { clientFaults } from "./faults-clients.ts";
import { processFaults } from "./faults-processes.ts";
import { proxyFaults } from "./faults-proxy.ts";
import { serverFaults } from "./faults-servers.ts";
import { spoolFaults } from "./faults-spool.ts";
import type { Fault } from "./run-fault.ts";

export const faults: readonly Fault[] = [
  ...processFaults,
  ...serverFaults,
  ...proxyFaults,
  ...clientFaults,
  ...spoolFaults,
];
