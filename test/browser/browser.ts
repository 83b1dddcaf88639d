// A real Chromium where there is one; told loudly where there is none, failed where it is required.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { describe, it } from "vitest";

const names = ["chromium", "chromium-browser", "google-chrome"];
const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Where Chromium lies; undefined where there is none. */
export function findChromium(): string | undefined {
  const folders = ["/usr/bin", ...(process.env["PATH"] ?? "").split(delimiter)];
  return folders
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find((path) => existsSync(path));
}

/** Starts the browser; the caller closes it. `without` are flags that tests of the dashboard do with. */
export function launch(without: string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium()!, args: flags, ignoreDefaultArgs: without });
}

/** `describe`, for a suite that stands on a browser. */
export function describeInBrowser(title: string, body: () => void): void {
  if (findChromium() !== undefined) {
    describe(title, body);
    return;
  }
  const reason = `no ${names.join(" or ")} on PATH; on Debian: apt-get install chromium`;
  if (process.env["WEIR_TEST_SERVICES"] === "required") {
    describe(title, () => {
      it("has the browser it needs", () => {
        throw new Error(reason);
      });
    });
    return;
  }
  console.warn(`NOT RUN: ${title} (${reason})`);
  describe.skip(title, body);
}
