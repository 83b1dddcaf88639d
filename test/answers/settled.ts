// Waits until an aggregator has nothing left to write or to fold.
import { until } from "../support/until.ts";

interface Told {
  data: Record<string, number>[];
  meta: { as_of: string; unread_records?: number; unreadable?: string | null };
}

const settledMsMax = 10 * 60_000;
/** Questions that read models may answer: what they were folded up to stands in their `as_of`. */
const modelled = ["active-users", "events", "revenue", "sessions", "retention", "funnel?steps=a,b"];

/**
 * Resolves once the aggregator at `url` has written all that lay in the log, and its questions about events
 * are answered as of that moment or later.
 */
export async function settled(url: string): Promise<void> {
  let written = "";
  await until("everything is written", settledMsMax, async () => {
    const { data, meta } = await ask(url, "ledger");
    if (typeof meta.unreadable === "string") throw new Error(`the log: ${meta.unreadable}`);
    written = meta.as_of;
    return data[0]!["in_flight"] === 0 && meta.unread_records === 0;
  });
  for (const question of modelled) {
    await until(`${question} is folded`, settledMsMax, async () => {
      const { meta } = await ask(url, question);
      return Date.parse(meta.as_of) >= Date.parse(written);
    });
  }
}

async function ask(url: string, path: string): Promise<Told> {
  const response = await fetch(new URL(`/v1/${path}`, url));
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Told;
}
