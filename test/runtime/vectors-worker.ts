// A Worker that answers how the vectors stand on workerd.
import { hash } from "../../edge/adapter/cloudflare.ts";
import { judge } from "./vectors.ts";

export default { fetch: async (): Promise<Response> => Response.json(await judge(hash)) };
