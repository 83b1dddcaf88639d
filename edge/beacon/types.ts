// What a page may tell the beacon.

/** Members of any kind that JSON can hold. */
export type Fields = Readonly<Record<string, unknown>>;

/** Each is a `data-` attribute of the script tag too: `data-key`, `data-host` and so on. */
export interface BeaconOptions {
  /** The project's write key. A page can be read by anybody, so such a key may only write. */
  key: string;
  /** Where the edge is, such as `https://edge.example.com`; the page's own origin when absent. */
  host?: string;
  /** `off`: no page views, engagement or clicks unless the page asks for them. */
  auto?: "on" | "off";
  /** `off`: one page view a load; `hash`: another fragment is another page, too. */
  spa?: "on" | "off" | "hash";
  /** `required`: nothing is recorded and nothing is kept in the browser before `opt_in`. */
  consent?: "required" | "assumed";
  /**
   * `off`: the browser's Global Privacy Control is not taken as `opt_out` here. The browser tells the edge of
   * it all the same, and the project's policy says what is kept.
   */
  gpc?: "on" | "off";
  /** The page's own version, by which completeness is told apart. */
  version?: string;
}

export type BeaconCommand =
  | [name: "init", options: BeaconOptions]
  | [name: "track", type: string, payload?: Fields, context?: Fields]
  | [name: "page", payload?: Fields, context?: Fields]
  | [name: "identify", userId: string, traits?: Fields]
  | [name: "consent", choice: "opt_in" | "opt_out"]
  | [name: "opt_in" | "opt_out" | "reset"];
