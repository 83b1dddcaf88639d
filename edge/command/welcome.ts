// What `weir dev` says once it is ready: where everything is, and one event to send.

/** The text for a terminal; without a key the reader puts in their own. */
export function welcome(
  urls: { edgeUrl: string; collectorUrl: string; aggregatorUrl: string },
  writeKey: string | undefined,
): string {
  const event = `{"type":"page_view","anonymous_id":"visitor-1","payload":{"path":"/"}}`;
  return `
  Weir is ready.

    dashboard  ${urls.aggregatorUrl}
    edge       ${urls.edgeUrl}
    collector  ${urls.collectorUrl}

  Send an event:

    curl ${urls.edgeUrl}/v1/events \\
      -H 'authorization: Bearer ${writeKey ?? "$WRITE_KEY"}' \\
      -H 'content-type: application/json' \\
      -d '{"events":[${event}]}'

  Ctrl-C stops everything.

`;
}
