// Suites that need a real service: run where it is, told loudly where it is not, failed where it is required.
import { describe, it } from "vitest";
import { missingName, neverRequired, type ServiceName, urlName } from "../services/setup.ts";

/** The URL of a service that setup started. Throws where it is missing. */
export function serviceUrl(name: ServiceName): string {
  const url = process.env[urlName(name)];
  if (url === undefined) throw new Error(`the service ${name} is not running`);
  return url;
}

/** `describe`, for a suite that stands on these services. */
export function describeWith(names: readonly ServiceName[], title: string, body: () => void): void {
  const missing = names.filter((name) => process.env[urlName(name)] === undefined);
  if (missing.length === 0) {
    describe(title, body);
    return;
  }
  const reasons = missing
    .map((name) => `${name}: ${process.env[missingName(name)] ?? "not started"}`)
    .join("; ");
  const isRequired = missing.some((name) => !neverRequired.includes(name));
  if (process.env["WEIR_TEST_SERVICES"] === "required" && isRequired) {
    describe(title, () => {
      it("has the services it needs", () => {
        throw new Error(reasons);
      });
    });
    return;
  }
  console.warn(`NOT RUN: ${title} (${reasons})`);
  describe.skip(title, body);
}
