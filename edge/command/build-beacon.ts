// Builds the text that /weir.js serves: the beacon's files as one, made small, the same for the same files.
import { fileURLToPath } from "node:url";

export interface BuiltBeacon {
  text: string;
  /** The first half of the text's SHA-256, in hex: what tells its versions apart. */
  hash: string;
}

/** Bundles and minifies. Throws where the files do not go together. */
export async function buildBeacon(): Promise<BuiltBeacon> {
  const built = await Bun.build({
    entrypoints: [fileURLToPath(new URL("../beacon/script.ts", import.meta.url))],
    target: "browser",
    format: "iife",
    minify: true,
  });
  const text = (await built.outputs[0]!.text()).trim();
  return { text, hash: new Bun.CryptoHasher("sha256").update(text).digest("hex").slice(0, 32) };
}

/** The module that is kept with the sources, since what serves it on Workers cannot build it. */
export function moduleOf({ text, hash }: BuiltBeacon): string {
  const quoted = JSON.stringify(text);
  const single = `'${quoted.slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
  return [
    "// Built by `UPDATE=1 npm test -- beacon-built`: the text that /weir.js serves, and its hash.",
    "// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is the text of a program.",
    `export const beaconHash = ${JSON.stringify(hash)};`,
    "export const beaconScript =",
    `  ${single.length < quoted.length ? single : quoted};`,
    "",
  ].join("\n");
}
