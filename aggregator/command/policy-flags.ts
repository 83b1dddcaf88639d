// The flags that change what a project asks, and what they mean.
import { randomBytes } from "node:crypto";
import { type Command, Option } from "commander";
import { MisuseError } from "../../shared/command.ts";
import { type ContentKind, contentKinds, type Policy } from "../../shared/event/policy.ts";
import type { PolicyChange } from "../projects.ts";

export interface PolicyFlags {
  origins?: string;
  clientContext?: "on" | "off";
  quota?: string;
  gpc?: Policy["gpc"];
  consent?: Policy["consent"];
  ip?: Policy["ip"];
  pseudonyms?: "on" | "off" | "rotate";
  deny?: string;
  scan?: Policy["scan"]["action"];
  scanKinds?: string;
}

/** Adds the flags to a command. */
export function withPolicyFlags(command: Command): Command {
  const oneOf = (flag: string, text: string, choices: readonly string[]) =>
    command.addOption(new Option(flag, text).choices(choices));
  command
    .option(
      "--origins <list>",
      "origins pages may send from, such as https://shop.example,https://*.shop.example",
    )
    .option("--quota <events>", "events a UTC day, or none")
    .option("--deny <names>", "names of members that are left out of payload, context and metadata")
    .option("--scan-kinds <list>", `what is looked for: ${contentKinds.join(",")}`);
  oneOf("--client-context <how>", "bodies may say where their client is, and on what", ["on", "off"]);
  oneOf("--gpc <how>", "what Sec-GPC: 1 and DNT: 1 mean", ["honour", "ignore"]);
  oneOf("--consent <how>", "whether context.consent has to be granted", ["required", "assumed"]);
  oneOf("--ip <how>", "what is kept of IP addresses", ["drop", "truncate", "keep"]);
  oneOf("--pseudonyms <how>", "store ids hashed with a secret; rotate takes a new one", [
    "on",
    "off",
    "rotate",
  ]);
  oneOf("--scan <how>", "what is done with e-mails, phones and cards", ["off", "mask", "quarantine"]);
  return command;
}

/**
 * The parts of a policy that flags set; `now` is undefined where it is only asked which. Throws a MisuseError
 * for values that mean nothing.
 */
export function changeOf(flags: PolicyFlags, now: Policy | undefined): PolicyChange {
  const change: PolicyChange = {};
  if (flags.origins !== undefined) change.origins = listOf(flags.origins).map(originOf);
  if (flags.clientContext !== undefined) change.takes_client_context = flags.clientContext === "on";
  if (flags.quota !== undefined) change.quota_events_per_day = quotaOf(flags.quota);
  if (flags.gpc !== undefined) change.gpc = flags.gpc;
  if (flags.consent !== undefined) change.consent = flags.consent;
  if (flags.ip !== undefined) change.ip = flags.ip;
  if (flags.deny !== undefined) change.denied_properties = listOf(flags.deny);
  if (flags.scan !== undefined || flags.scanKinds !== undefined) {
    const { action, kinds } = now?.scan ?? { action: "off" as const, kinds: [...contentKinds] };
    change.scan = {
      action: flags.scan ?? action,
      kinds: flags.scanKinds === undefined ? kinds : listOf(flags.scanKinds).map(kindOf),
    };
  }
  if (flags.pseudonyms !== undefined) change.pseudonym_keys = pseudonymKeys(flags.pseudonyms, now);
  return change;
}

/** Keys kept to know again what was stored under them; the policy takes eight. */
const pseudonymKeysMax = 8;

function pseudonymKeys(how: "on" | "off" | "rotate", now: Policy | undefined): Policy["pseudonym_keys"] {
  const keys = now?.pseudonym_keys ?? [];
  if (how === "off") return [];
  if (how === "on" && keys.length > 0) return keys;
  const newest = Math.max(0, ...keys.map(({ id }) => (/^\d{1,9}$/.test(id) ? Number(id) : 0)));
  const made = { id: String(newest + 1), secret: randomBytes(32).toString("base64url") };
  return [made, ...keys].slice(0, pseudonymKeysMax);
}

const listOf = (text: string): string[] =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

function originOf(text: string): string {
  const origin = text.toLowerCase().replace(/\/$/, "");
  if (origin === "null") return origin;
  const plain = origin.replace("://*.", "://any.");
  if (/^https?:\/\//.test(plain) && URL.canParse(plain) && new URL(plain).origin === plain) return origin;
  throw new MisuseError(
    `--origins: ${text} is no origin, as https://shop.example or https://*.shop.example is`,
  );
}

function quotaOf(text: string): number | null {
  if (text === "none") return null;
  const events = Number(text);
  if (Number.isSafeInteger(events) && events >= 1) return events;
  throw new MisuseError("--quota: a whole number from 1 on, or none");
}

function kindOf(text: string): ContentKind {
  const kind = contentKinds.find((one) => one === text);
  if (kind !== undefined) return kind;
  throw new MisuseError(`--scan-kinds: of ${contentKinds.join(", ")}`);
}
