// What a command prints where it fails, and how it ends.
import { afterEach, describe, expect, it, vi } from "vitest";
import * as z from "zod/mini";
import { exitCode, runCommand } from "../../shared/command.ts";
import { readConfig } from "../../shared/config.ts";
import { edgeSettings, settingNames, settings } from "../../shared/settings.ts";

afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = 0;
});

async function told(work: () => Promise<number>): Promise<string> {
  let text = "";
  vi.spyOn(process.stderr, "write").mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  await runCommand(work);
  return text;
}

describe("a command that fails", () => {
  it("tells a fault of a setting whole, also of one that is a secret, and not its value", async () => {
    const env = { WEIR_API_TOKEN: "too short", WEIR_ALERT_WEBHOOK_SECRET: "whsec_hunter2" };
    const { WEIR_API_TOKEN, WEIR_ALERT_WEBHOOK_SECRET } = settings;
    const schema = z.object({ ...edgeSettings, WEIR_API_TOKEN, WEIR_ALERT_WEBHOOK_SECRET });
    const text = await told(async () => {
      readConfig(schema, { env }, settingNames);
      return exitCode.fine;
    });
    expect(text).toContain("WEIR_ALERT_WEBHOOK_SECRET: must be whsec_ and base64 of 24 bytes or more");
    expect(text).not.toMatch(/hunter2|too short/);
    expect(process.exitCode).toBe(exitCode.misuse);
  });

  it("hides what any other error says of a secret", async () => {
    const text = await told(async () => {
      throw new Error("refused: password=hunter2 at postgres://weir:hunter2@db/weir");
    });
    expect(text).not.toContain("hunter2");
    expect(process.exitCode).toBe(exitCode.failed);
  });
});
