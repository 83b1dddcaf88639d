// The port by which notices leave: keyed messages to topics of their own, beside the log of events.

/** A message as it goes out. Those of one key and topic stay in the order of their numbers. */
export interface OutgoingNotice {
  topic: string;
  key: string;
  /** The same in every copy; it goes into the header `weir-id`. */
  id: string;
  /** JSON. */
  value: string;
}

export interface NoticePublisher {
  /** Makes its topics where they are missing; `publish` does so too. Rejects where one can lose what was acked. */
  create(): Promise<void>;
  /**
   * Resolves once every in-sync replica has all of them. A rejection leaves open which of them are stored:
   * whoever hands them over again makes copies, in the same order. One call at a time.
   */
  publish(notices: readonly OutgoingNotice[]): Promise<void>;
  /** Gives up what is under way, without waiting for it. */
  close(): Promise<void>;
}
