// The beacon as an import: typed commands, and no harm where there is no page.
import { expect, it } from "vitest";
import { type BeaconCommand, weir } from "../../edge/beacon/beacon.ts";

it("does nothing where a server renders the page", () => {
  const commands: BeaconCommand[] = [
    ["init", { key: "wk_x", host: "https://edge.example", consent: "required", spa: "hash" }],
    ["track", "purchase", { revenue: "19.90" }, { app_version: "1" }],
    ["page"],
    ["identify", "u-1", { plan: "pro" }],
    ["consent", "opt_in"],
    ["opt_out"],
    ["reset"],
  ];
  for (const command of commands) expect(weir(...command)).toBeUndefined();
});

it("takes no command it does not know", () => {
  // @ts-expect-error There is no such command.
  const unknown: BeaconCommand = ["tack", "purchase"];
  // @ts-expect-error A choice is one of two.
  const undecided: BeaconCommand = ["consent", "perhaps"];
  // @ts-expect-error Without a key no project is meant.
  const keyless: BeaconCommand = ["init", { host: "https://edge.example" }];
  for (const command of [unknown, undecided, keyless]) expect(() => weir(...command)).not.toThrow();
});
