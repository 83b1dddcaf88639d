// Prints how the vectors stand on the runtime that this runs on; its one word is the adapter to take.
import type { Hash } from "../../shared/event/hash.ts";
import { judge } from "./vectors.ts";

const { hash } = (await import(process.argv[2]!)) as { hash: Hash };
console.log(JSON.stringify(await judge(hash)));
