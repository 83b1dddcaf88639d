// One step of publishing: the oldest notices go out in their order, and are marked once the log has them.
import type { Sql } from "postgres";
import { reach } from "../../shared/crash-point.ts";
import type { NoticePublisher, OutgoingNotice } from "../../shared/log/notices.ts";
import type { Notice } from "./notices.ts";

/** Notices of one send. */
const noticesMax = 500;
/** Bytes of one send, below what a broker takes of a partition by default; a single notice may be larger. */
const bytesMax = 512 * 1024;

interface Waiting {
  number: string;
  id: string;
  key: string;
  body: string;
  made_at: Date;
}

/**
 * Publishes up to 500 notices of a kind, and answers how many; "busy" where another aggregator is at it.
 * Killed behind the send, the same notices go out again under the same ids.
 */
export async function publishStep(
  session: Sql,
  publisher: NoticePublisher,
  kind: Notice["topic"],
  topic: string,
): Promise<number | "busy"> {
  return await session.begin(async (tx) => {
    const [leads] = await tx<[{ ours: boolean }]>`
      select pg_try_advisory_xact_lock(hashtextextended(current_schema() || '.published.' || ${kind}, 0)) as ours`;
    if (!leads.ours) return "busy";
    const waiting = await tx<Waiting[]>`
      select number, id, key, body::text, made_at
      from notices
      where topic = ${kind} and published_at is null
      order by number
      limit ${noticesMax}`;
    const sent = withinBytes(waiting);
    if (sent.length === 0) return 0;
    await publisher.publish(sent.map((notice) => toMessage(topic, notice)));
    reach("notices_sent");
    const numbers = sent.map(({ number }) => number);
    await tx`update notices set published_at = now() where number = any(${numbers}::bigint[])`;
    return sent.length;
  });
}

function withinBytes(waiting: readonly Waiting[]): readonly Waiting[] {
  let bytes = 0;
  const over = waiting.findIndex(({ key, body }, at) => {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(body);
    return at > 0 && bytes > bytesMax;
  });
  return over === -1 ? waiting : waiting.slice(0, over);
}

// The body's text is kept as it is: no figure passes through a binary fraction.
function toMessage(topic: string, { id, key, body, made_at }: Waiting): OutgoingNotice {
  const head = JSON.stringify({ id, made_at: made_at.toISOString() }).slice(0, -1);
  const value = body === "{}" ? `${head}}` : `${head},${body.slice(1)}`;
  return { topic, key, id, value };
}
