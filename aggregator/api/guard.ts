// Who asks: whoever has a token, or, where none is needed, only this machine under its own name.
import { createHash, timingSafeEqual } from "node:crypto";
import { WeirError } from "../../shared/problem.ts";
import type { FindBearer } from "./bearer.ts";
import type { Asker } from "./roles.ts";

const loopbackHost = /^(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d{1,5})?$/i;

export interface Guard {
  /** Throws `forbidden` for a request that a foreign page sent here under a name of its own. */
  checkHost(request: Request): void;
  /** Who asks; rejects with `unauthorized` where a token is needed, or was sent and is none. */
  whoAsks(request: Request): Promise<Asker>;
  /** Throws for a request that would change something and that another site's page may have sent. */
  checkChange(request: Request): void;
}

export interface GuardOptions {
  /** The token of the settings, which may do everything. */
  token: string | undefined;
  /** false: nobody is answered without a token. true: the process listens on loopback alone. */
  isOpen: boolean;
  findBearer: FindBearer;
}

/** Where no token is needed, a name that is not loopback's is a trick. */
export function createGuard({ token, isOpen, findBearer }: GuardOptions): Guard {
  const wanted = token === undefined ? undefined : digest(token);
  return {
    checkHost(request) {
      if (!isOpen) return;
      // A page elsewhere may point its own name at 127.0.0.1 and so read what only this machine should.
      const host = request.headers.get("host") ?? new URL(request.url).host;
      if (!loopbackHost.test(host)) {
        throw new WeirError(
          "forbidden",
          "Without a token this answers to localhost alone; set WEIR_API_TOKEN.",
        );
      }
      const site = request.headers.get("sec-fetch-site");
      if (site === "cross-site" && request.headers.get("sec-fetch-mode") !== "navigate") {
        throw new WeirError("forbidden", "Another site's page may not ask here.");
      }
    },
    async whoAsks(request) {
      const header = request.headers.get("authorization") ?? "";
      if (isOpen && !/^bearer/i.test(header)) return { role: "admin", name: null, project: null };
      const [, given] = /^Bearer +([\x21-\x7e]+) *$/i.exec(header) ?? [];
      if (given === undefined)
        throw refused("Send the header Authorization: Bearer with a token of the API.");
      // Digests have one length, so the comparison's time tells nothing of the token.
      if (wanted !== undefined && timingSafeEqual(digest(given), wanted)) {
        return { role: "admin", name: "WEIR_API_TOKEN", project: null };
      }
      const { role, name, project } = (await findBearer(given)) ?? {};
      if (role === undefined || name === undefined) {
        throw refused("This token is none, or is one no more; weir tokens makes another.");
      }
      return { role, name, project: project ?? null };
    },
    checkChange(request) {
      // A page elsewhere can send a form without being asked, but JSON only where it was allowed to.
      const type = (request.headers.get("content-type") ?? "").replace(/;.*/s, "").trim().toLowerCase();
      if (type !== "application/json") {
        throw new WeirError("unsupported_media_type", "Send application/json.");
      }
      // A browser says itself where a request is from; only what does not is judged by its origin.
      const site = request.headers.get("sec-fetch-site");
      const origin = request.headers.get("origin");
      const host = request.headers.get("host") ?? new URL(request.url).host;
      const isOurs =
        site !== null
          ? site === "same-origin" || site === "none"
          : origin === null || (URL.canParse(origin) && new URL(origin).host === host);
      if (!isOurs) {
        throw new WeirError("forbidden", "Only this server's own pages may change something here.");
      }
    },
  };
}

const refused = (detail: string): WeirError => new WeirError("unauthorized", detail);

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
