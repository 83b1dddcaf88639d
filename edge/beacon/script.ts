// What a script tag loads: takes over the calls the page made before, and begins by the tag's attributes.
import { weir } from "./beacon.ts";
import type { BeaconCommand, BeaconOptions } from "./types.ts";

type Page = typeof globalThis & {
  weir?: typeof weir & { q?: BeaconCommand[]; isLoaded?: boolean };
};

const page: Page = globalThis;
const script = document.currentScript as HTMLScriptElement | null;
const calls = page.weir?.q ?? [];
// A page that has the tag twice would tell everything twice.
if (!page.weir?.isLoaded) {
  page.weir = Object.assign(weir, { isLoaded: true });
  for (const call of calls) weir(...call);
  if (script?.dataset["key"]) {
    weir("init", { host: new URL(script.src).origin, ...(script.dataset as unknown as BeaconOptions) });
  }
}
